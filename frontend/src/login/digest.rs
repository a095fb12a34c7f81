//! HTTP digest (RFC 7616) with MD5, which is what clients of Ops Manager speak, and SHA-256.
//!
//! Pure: parsing what a client answers, and checking it against the hashes of a key. Only `qop=auth` is spoken; counts of
//! nonces are looked at but not kept. The path that was hashed must be the one that was asked for.

use md5::{Digest as _, Md5};
use sha2::Sha256;
use tidemark_metadata::{DigestHashes, REALM};

/// Longest header that is looked at.
const MAX_HEADER_BYTES: usize = 4 << 10;

/// What a client answered to the challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The public half of the key.
    pub(crate) user: String,
    /// The nonce it used.
    pub(crate) nonce: String,
    /// The path it hashed.
    pub(crate) uri: String,
    is_sha256: bool,
    count: String,
    client_nonce: String,
    response: String,
}

/// The challenges: MD5 first, for clients that read one only.
pub(crate) fn challenges(nonce: &str, is_stale: bool) -> [String; 2] {
    let stale = if is_stale { ", stale=true" } else { "" };
    ["MD5", "SHA-256"].map(|algorithm| {
        format!(r#"Digest realm="{REALM}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale}"#)
    })
}

impl Answer {
    /// Reads the value of `Authorization`; none for whatever is not an answer that we understand.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let fields = header.get(..7).filter(|it| it.eq_ignore_ascii_case("digest ")).and(header.get(7..))?;
        if header.len() > MAX_HEADER_BYTES {
            return None;
        }
        let fields = parse_fields(fields)?;
        let field = |name: &str| fields.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone());
        let is_sha256 = match field("algorithm").unwrap_or_else(|| "MD5".to_owned()) {
            it if it.eq_ignore_ascii_case("MD5") => false,
            it if it.eq_ignore_ascii_case("SHA-256") => true,
            _ => return None,
        };
        let count = field("nc")?;
        let is_count =
            count.len() == 8 && count.bytes().all(|it| it.is_ascii_hexdigit()) && count != "00000000";
        if !is_count || field("qop")? != "auth" || field("realm")? != REALM {
            return None;
        }
        Some(Self {
            user: field("username")?,
            nonce: field("nonce")?,
            uri: field("uri")?,
            is_sha256,
            count,
            client_nonce: field("cnonce").filter(|it| !it.is_empty())?,
            response: field("response")?,
        })
    }

    /// Whether whoever answered has the key of these hashes and asked for this.
    pub(crate) fn is_right(&self, hashes: &DigestHashes, method: &str) -> bool {
        let secret = if self.is_sha256 { hex::encode(hashes.sha256) } else { hex::encode(hashes.md5) };
        let asked = self.hash(&format!("{method}:{}", self.uri));
        let Self { nonce, count, client_nonce, .. } = self;
        let expected = self.hash(&format!("{secret}:{nonce}:{count}:{client_nonce}:auth:{asked}"));
        // Compared by hashes, which takes the same time wherever they differ.
        blake3::hash(expected.as_bytes()) == blake3::hash(self.response.to_ascii_lowercase().as_bytes())
    }

    fn hash(&self, text: &str) -> String {
        if self.is_sha256 { hex::encode(Sha256::digest(text)) } else { hex::encode(Md5::digest(text)) }
    }
}

/// `name=value, name="quoted \" value"`; none if it is anything else, or a name comes twice.
fn parse_fields(text: &str) -> Option<Vec<(String, String)>> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'*');
        if !is_name || fields.iter().any(|(it, _)| *it == name) {
            return None;
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => match after.split_once(',') {
                Some((value, _)) => (value.trim().to_owned(), after.get(value.len()..)?),
                None => (after.trim().to_owned(), ""),
            },
        };
        fields.push((name, value));
        rest = match after.trim_start() {
            "" => "",
            more => more.strip_prefix(',')?.trim_start(),
        };
    }
    Some(fields)
}

/// A value up to its closing quote, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(algorithm: &str, response: &str) -> String {
        format!(
            r#"Digest username="Mufasa", realm="{REALM}", uri="/dir/index.html", algorithm={algorithm}, nonce="abc", nc=00000001, cnonce="f2/w=,x", qop=auth, response="{response}""#
        )
    }

    /// HA1 of `Mufasa` and `Circle of Life` in our realm.
    fn hashes() -> DigestHashes {
        let text = format!("Mufasa:{REALM}:Circle of Life");
        DigestHashes { md5: Md5::digest(&text).into(), sha256: Sha256::digest(&text).into() }
    }

    #[test]
    fn answers_in_both_algorithms_are_checked() {
        // By hand: printf 'GET:/dir/index.html' | md5sum, and so on.
        let right = |algorithm: &str| {
            let mut answer = Answer::parse(&header(algorithm, "")).unwrap();
            let ha1 =
                if algorithm == "MD5" { hex::encode(hashes().md5) } else { hex::encode(hashes().sha256) };
            let ha2 = answer.hash("GET:/dir/index.html");
            answer.response = answer.hash(&format!("{ha1}:abc:00000001:f2/w=,x:auth:{ha2}"));
            answer
        };
        for algorithm in ["MD5", "SHA-256"] {
            let answer = right(algorithm);
            assert!(answer.is_right(&hashes(), "GET"), "{algorithm}");
            assert!(!answer.is_right(&hashes(), "POST"));
            assert!(!Answer { uri: "/dir/other".into(), ..answer.clone() }.is_right(&hashes(), "GET"));
            assert!(
                !Answer { user: "x".into(), count: "00000002".into(), ..answer.clone() }
                    .is_right(&hashes(), "GET")
            );
            let other = DigestHashes { md5: [0; 16], sha256: [0; 32] };
            assert!(!answer.is_right(&other, "GET"));
        }
    }

    #[test]
    fn the_example_of_the_standard_is_read() {
        let answer = Answer::parse(&header("MD5", "8ca523f5e9506fed4657c9700eebdbec")).unwrap();
        assert_eq!(answer.client_nonce, "f2/w=,x");
        assert_eq!((answer.user.as_str(), answer.uri.as_str()), ("Mufasa", "/dir/index.html"));
        let quoted = header("MD5", "x").replace("qop=auth", r#"qop="auth" , opaque="a\"b""#);
        assert!(Answer::parse(&quoted).is_some());
    }

    #[test]
    fn what_is_not_understood_is_no_answer() {
        let good = header("MD5", "x");
        assert!(Answer::parse(&good).is_some());
        let long = format!(r#"{good}, opaque="{}""#, "x".repeat(MAX_HEADER_BYTES));
        for bad in [
            "",
            "Digest",
            "Digest ",
            "Basic dXNlcjpwYXNz",
            "Digest ====",
            "Digest username=\"",
            "Dig\u{e9}st a=b",
            &good.replace("Digest", "Bearer"),
            &good.replace("MD5", "MD5-sess"),
            &good.replace("qop=auth", "qop=auth-int"),
            &good.replace(", qop=auth", ""),
            &good.replace("00000001", "00000000"),
            &good.replace("00000001", "1"),
            &good.replace(REALM, "elsewhere"),
            &good.replace("nonce=\"abc\"", "nonce=\"abc"),
            &format!("{good}, uri=\"/other\""),
            &long,
        ] {
            assert_eq!(Answer::parse(bad), None, "{bad}");
        }
    }
}

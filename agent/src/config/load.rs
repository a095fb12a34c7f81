//! From keys and values to a configuration, with every mistake named by its key.
//!
//! Every key of the file that is not known is a mistake, so that nobody believes in a setting that was spelled wrong.
//! The environment has the keys of the whole agent: `TIDEMARK_AGENT_` and the key in capitals, words set apart by `_`.

use super::file::{self, Values};
use super::{Config, Login, Secret, SetConfig};
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use tidemark_base::limits::{MAX_NAME_BYTES, MAX_SEEDS};
use tidemark_base::protocol::Address;

const CA: &str = "sslTrustedMMSBackupServerCertificate";
/// Keys of the whole agent.
const KEYS: [&str; 7] =
    ["agent", "mmsGroupId", "mmsApiKey", "mmsApiKeyFile", "mothership", CA, "replicaSets"];
/// Keys of a replica set: after its name and a dot, or alone for all of them.
const SET_KEYS: [&str; 5] = ["tlsCAFile", "username", "password", "passwordFile", "authSource"];
/// Keys whose values are secrets.
const SECRETS: [&str; 2] = ["mmsApiKey", "password"];

/// What flags say, all of which can be said in the file too. Nothing secret.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The file.
    pub config: Option<PathBuf>,
    /// What the agent calls itself.
    pub agent: Option<String>,
    /// The group.
    pub group: Option<String>,
    /// A file that holds the key.
    pub key_file: Option<PathBuf>,
    /// Addresses of the server.
    pub mothership: Option<String>,
    /// Who vouches for the server.
    pub ca_file: Option<PathBuf>,
    /// Replica sets: `name/host:port,host:port`, several of them separated by semicolons.
    pub replica_sets: Option<String>,
}

impl Config {
    /// Reads the file, lays the environment and the flags over it, and checks all of it. `environment` gives a
    /// variable of that name.
    ///
    /// # Errors
    /// [`Error::Config`] with what is wrong and what to do; [`Error::Io`] if a file cannot be read.
    pub fn load(flags: &Flags, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut values = match &flags.config {
            Some(path) => from_file(path)?,
            None => Values::new(),
        };
        for key in KEYS.iter().chain(&SET_KEYS) {
            values.extend(environment(&variable(key)).map(|value| ((*key).to_owned(), value)));
        }
        let path = |path: &Option<PathBuf>| path.as_ref().map(|it| it.display().to_string());
        let said = [
            ("agent", flags.agent.clone()),
            ("mmsGroupId", flags.group.clone()),
            ("mmsApiKeyFile", path(&flags.key_file)),
            ("mothership", flags.mothership.clone()),
            (CA, path(&flags.ca_file)),
            ("replicaSets", flags.replica_sets.clone()),
        ];
        values.extend(said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        from_values(&values, flags.config.as_deref())
    }
}

/// The variable of the environment that stands for a key.
fn variable(key: &str) -> String {
    let mut name = String::from("TIDEMARK_AGENT_");
    let mut last_was_small = false;
    for letter in key.chars() {
        if letter.is_ascii_uppercase() && last_was_small {
            name.push('_');
        }
        last_was_small = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn from_file(path: &Path) -> Result<Values> {
    let values = file::read(path)?;
    let is_secret = |key: &String| SECRETS.contains(&key.rsplit('.').next().unwrap_or(key));
    if values.keys().any(is_secret) {
        file::must_be_private(path, file::CONFIG)?;
    }
    Ok(values)
}

fn from_values(values: &Values, config_file: Option<&Path>) -> Result<Config> {
    let sets = sets(values)?;
    check_keys(values, &sets)?;
    let group = required(values, "mmsGroupId")?.to_ascii_lowercase();
    if group.len() != 24 || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::Config("mmsGroupId must be 24 hexadecimal digits".to_owned()));
    }
    let key = secret(values, "mmsApiKey", "mmsApiKeyFile")?.ok_or_else(|| {
        Error::Config("mmsApiKey is missing: the key of the agent, shown once when it is made".to_owned())
    })?;
    // It travels in a header.
    if key.reveal().is_empty() || !key.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Config("mmsApiKey must be letters, digits and signs without spaces".to_owned()));
    }
    let motherships = motherships(required(values, "mothership")?)?;
    let ca_file = values.get(CA).map(PathBuf::from);
    if let Some(path) = &ca_file {
        file::must_be_readable(path, CA)?;
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let agent = match values.get("agent") {
        Some(name) => name.clone(),
        // The same in all lives of this installation, and another for a second one on the host.
        None => {
            let absolute = config_file.map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
            let digest = blake3::hash(absolute.unwrap_or_default().as_os_str().as_encoded_bytes());
            format!("{host}-{}", &digest.to_hex().as_str()[..8])
        }
    };
    if agent.is_empty() || agent.len() > MAX_NAME_BYTES || agent.chars().any(char::is_control) {
        return Err(Error::Config(format!("agent must be a name of at most {MAX_NAME_BYTES} bytes")));
    }
    Ok(Config { agent, host, group, key, motherships, ca_file, sets })
}

fn required<'v>(values: &'v Values, key: &str) -> Result<&'v str> {
    let value = values.get(key).map(String::as_str).filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        Error::Config(format!("{key} is missing: put '{key} = …' into the file, or set {}", variable(key)))
    })
}

/// A secret by its key, or from the file that the other key names.
fn secret(values: &Values, key: &str, file_key: &str) -> Result<Option<Secret>> {
    match (values.get(key), values.get(file_key)) {
        (_, Some(path)) => {
            file::must_be_private(Path::new(path), file_key)?;
            let text = file::text(Path::new(path), file_key)?;
            Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())))
        }
        (Some(value), None) => Ok(Some(Secret::new(value.clone()))),
        (None, None) => Ok(None),
    }
}

fn motherships(text: &str) -> Result<Vec<String>> {
    let addresses: Vec<String> = text
        .split([',', ';'])
        .map(|address| address.trim().trim_end_matches('/').to_owned())
        .filter(|address| !address.is_empty())
        .collect();
    for address in &addresses {
        let wrong = |why: &str| Err(Error::Config(format!("mothership: '{address}' {why}")));
        let Ok(url) = reqwest::Url::parse(address) else {
            return wrong("is no address; write https://host:8081");
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            // Not repeated: it may hold a password.
            return Err(Error::Config("mothership: an address must hold no user and no query".to_owned()));
        }
        let host = url.host_str().unwrap_or_default();
        let is_loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            "http" => return wrong("is not encrypted, which is for this machine alone; use https"),
            _ => return wrong("is no address of a web server; write https://host:8081"),
        }
    }
    if addresses.is_empty() {
        return Err(Error::Config("mothership is empty: write https://host:8081".to_owned()));
    }
    Ok(addresses)
}

fn sets(values: &Values) -> Result<Vec<SetConfig>> {
    let mut sets: Vec<SetConfig> = Vec::new();
    let text = values.get("replicaSets").map(String::as_str).unwrap_or_default();
    for item in text.split([';', ' ', '\t']).filter(|item| !item.is_empty()) {
        let wrong =
            |why: &str| Error::Config(format!("replicaSets: '{item}' {why}; write name/host:port,host:port"));
        let (name, hosts) = item.split_once('/').ok_or_else(|| wrong("has no name"))?;
        if name.is_empty() || sets.iter().any(|set| set.name == name) {
            return Err(wrong("has no name, or the name of another"));
        }
        let seeds: Option<Vec<Address>> = hosts.split(',').map(address).collect();
        let seeds = seeds.ok_or_else(|| wrong("has a host that is no host:port"))?;
        if seeds.len() > MAX_SEEDS {
            return Err(wrong("has more hosts than a replica set can"));
        }
        sets.push(set(values, name, seeds)?);
    }
    Ok(sets)
}

/// `host:port`, or a host with MongoDB's own port; `[…]` around an IPv6 address.
pub(crate) fn address(text: &str) -> Option<Address> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, 27017),
    };
    let is_sound = !host.is_empty() && !host.contains(['/', '@', ' ']);
    is_sound.then(|| Address { host: host.to_owned(), port })
}

fn set(values: &Values, name: &str, seeds: Vec<Address>) -> Result<SetConfig> {
    // Those of the set, or those for all.
    let own = |key: &str| {
        let full = format!("{name}.{key}");
        if values.contains_key(&full) { full } else { key.to_owned() }
    };
    let tls_ca_file = values.get(&own("tlsCAFile")).map(PathBuf::from);
    if let Some(path) = &tls_ca_file {
        file::must_be_readable(path, &own("tlsCAFile"))?;
    }
    let password = secret(values, &own("password"), &own("passwordFile"))?;
    let login = match (values.get(&own("username")), password) {
        (Some(username), Some(password)) => {
            let auth_source = values.get(&own("authSource")).map_or("admin", String::as_str).to_owned();
            Some(Login { username: username.clone(), password, auth_source })
        }
        (None, None) => None,
        (Some(_), None) => {
            return Err(Error::Config(format!("{name}.username is there, but no password or passwordFile")));
        }
        (None, Some(_)) => return Err(Error::Config(format!("{name} has a password, but no username"))),
    };
    Ok(SetConfig { name: name.to_owned(), seeds, tls_ca_file, login })
}

fn check_keys(values: &Values, sets: &[SetConfig]) -> Result<()> {
    for key in values.keys() {
        let of_a_set = |set: &SetConfig| {
            let rest = key.strip_prefix(&set.name).and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| SET_KEYS.contains(&rest))
        };
        let known =
            KEYS.contains(&key.as_str()) || SET_KEYS.contains(&key.as_str()) || sets.iter().any(of_a_set);
        if !known {
            return Err(Error::Config(format!("{key} is no key that is known; is it spelled right?")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const GROUP: &str = "0123456789abcdef01234567";

    fn written(folder: &Path, text: &str, mode: u32) -> Flags {
        let path = folder.join("agent.config");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Flags { config: Some(path), ..Flags::default() }
    }

    fn sound() -> String {
        format!(
            "mmsGroupId={GROUP}\nmmsApiKey=hunter2\nmothership=https://a:8081/, https://b:8081\n\
             replicaSets=rs0/h1:27017,h2 rs1/[::1]:5\nrs0.username=u\nrs0.password=hunter2\n"
        )
    }

    #[test]
    fn a_file_is_read_and_the_environment_and_flags_lie_over_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut flags = written(folder.path(), &sound(), 0o600);
        let config = Config::load(&flags, |_| None).unwrap();
        assert_eq!(config.motherships, ["https://a:8081", "https://b:8081"]);
        assert_eq!(config.sets[0].seeds[1], Address { host: "h2".to_owned(), port: 27017 });
        assert_eq!(config.sets[1].seeds[0], Address { host: "[::1]".to_owned(), port: 5 });
        assert_eq!(config.sets[0].login.as_ref().unwrap().auth_source, "admin");
        assert!(config.sets[1].login.is_none());
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(Config::load(&flags, |_| None).unwrap().agent, config.agent);

        let environment = |name: &str| match name {
            "TIDEMARK_AGENT_MOTHERSHIP" => Some("https://c".to_owned()),
            "TIDEMARK_AGENT_MMS_API_KEY" => Some("other".to_owned()),
            _ => None,
        };
        flags.group = Some("f".repeat(24));
        let config = Config::load(&flags, environment).unwrap();
        assert_eq!((config.motherships.len(), config.key.reveal()), (1, "other"));
        assert_eq!(config.group, "f".repeat(24));
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, is_fine) in [(0o600, true), (0o640, true), (0o644, false), (0o660, false), (0o604, false)]
        {
            let outcome = Config::load(&written(folder.path(), &sound(), mode), |_| None);
            assert_eq!(outcome.is_ok(), is_fine, "{mode:o}: {outcome:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        for (from, key) in [
            ("mmsApiKey=hunter2", "mmsApiKeyFile"),
            ("rs0.password=hunter2", "rs0.passwordFile"),
            ("rs0.password=hunter2", "rs0.password=hunter2\nrs0.tlsCAFile"),
            ("mmsApiKey=hunter2", "mmsApiKey=hunter2\nsslTrustedMMSBackupServerCertificate"),
        ] {
            let text = sound().replacen(from, &format!("{key}={}", missing.display()), 1);
            let error =
                Config::load(&written(folder.path(), &text, 0o600), |_| None).unwrap_err().to_string();
            let named = format!("{} names {}", key.lines().last().unwrap(), missing.display());
            assert!(error.contains(&named) && error.contains("full path"), "{error}");
        }
    }

    #[test]
    fn every_mistake_is_named_and_no_secret_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        for (from, to, named) in [
            (GROUP, "12", "mmsGroupId"),
            ("mmsApiKey=hunter2", "", "mmsApiKey"),
            ("https://a:8081/", "http://a:8081", "encrypted"),
            ("https://a:8081/", "https://u:hunter2@a", "no user"),
            ("https://a:8081/", "ftp://a", "web server"),
            ("rs0.username=u\n", "", "no username"),
            ("rs0.password=hunter2\n", "", "passwordFile"),
            ("rs1/[::1]:5", "rs1", "no name"),
            ("rs1/[::1]:5", "rs0/h:1", "name of another"),
            ("rs1/[::1]:5", "rs1/h:port", "host:port"),
            ("replicaSets=", "rs2.username=u\nreplicaSets=", "rs2.username is no key"),
        ] {
            let text = sound().replacen(from, to, 1);
            let error =
                Config::load(&written(folder.path(), &text, 0o600), |_| None).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains("hunter2"), "{error}");
        }
        let loopback = sound().replacen("https://a:8081/", "http://127.0.0.1:8081", 1);
        assert!(Config::load(&written(folder.path(), &loopback, 0o600), |_| None).is_ok());
    }
}

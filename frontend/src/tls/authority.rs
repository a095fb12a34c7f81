//! The CA of an installation: made once, kept in a folder as `ca.pem` and `ca.key`.
//!
//! Several processes may start at the same time: each file takes its name by a link that fails if there is one, and
//! whoever comes second reads what the first has made. The key is for its owner's eyes only, and refused if it is not.

use crate::error::{Error, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemark_base::UnixMillis;

/// What the CA is called. Never changes: certificates name it as who made them.
const NAME: &str = "Tidemark backup CA";
/// How long it lasts: changing it means going to every agent.
const LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// How far clocks may be behind.
const LEEWAY: Duration = Duration::from_secs(24 * 3600);

/// A CA, ready to sign.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl Authority {
    /// The CA of a folder, which is made if it has none.
    pub(super) fn open(folder: &Path, now: UnixMillis) -> Result<Self> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { action, path, source }
        };
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed("making the folder", folder))?;
        let (key_path, pem_path) = (folder.join("ca.key"), folder.join("ca.pem"));
        if !exists(&key_path)? {
            if exists(&pem_path)? {
                let problem = "it is not there, and ca.pem is: put it back from a copy, or remove ca.pem and give the \
                               new CA to every agent";
                return Err(Error::BadFile { path: key_path, problem: problem.to_owned() });
            }
            let key = KeyPair::generate().map_err(certificate)?;
            publish(&key_path, key.serialize_pem().as_bytes(), 0o600)
                .map_err(failed("writing", &key_path))?;
        }
        let key = read_key(&key_path)?;
        if !exists(&pem_path)? {
            let made = params(now)?.self_signed(&key).map_err(certificate)?;
            publish(&pem_path, made.pem().as_bytes(), 0o644).map_err(failed("writing", &pem_path))?;
        }
        let pem = fs::read_to_string(&pem_path).map_err(failed("reading", &pem_path))?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| Error::BadFile {
            path: pem_path,
            problem: "it is not a certificate in PEM; put it back from a copy".to_owned(),
        })?;
        Ok(Self { issuer: Issuer::new(params(now)?, key), pem, der })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.der))
    }

    /// A new key, and a certificate for it with these names.
    pub(super) fn issue(
        &self,
        names: &[String],
        now: UnixMillis,
        until: UnixMillis,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let mut params = CertificateParams::new(names.to_vec()).map_err(certificate)?;
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, "Tidemark backup server");
        params.distinguished_name = subject;
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now).saturating_sub(LEEWAY);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(certificate)?;
        let made: Certificate = params.signed_by(&key, &self.issuer).map_err(certificate)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((vec![made.der().clone(), self.der.clone()], key))
    }
}

fn params(now: UnixMillis) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(certificate)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, NAME);
    params.distinguished_name = subject;
    let begin = since_1970(now).saturating_sub(LEEWAY);
    params.not_before = date_time_ymd(1970, 1, 1) + begin;
    params.not_after = date_time_ymd(1970, 1, 1) + begin + LIFE;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Nine thousand years are enough, and as many as a certificate can say.
fn since_1970(at: UnixMillis) -> Duration {
    Duration::from_millis(at.0.min(253_370_764_800_000))
}

fn certificate(error: rcgen::Error) -> Error {
    Error::Certificate { problem: error.to_string() }
}

fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|source| Error::File { action: "looking for", path: path.to_owned(), source })
}

fn read_key(path: &Path) -> Result<KeyPair> {
    let failed = |source| Error::File { action: "reading", path: path.to_owned(), source };
    let bad = |problem: &str| Error::BadFile { path: path.to_owned(), problem: problem.to_owned() };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(bad("others may read this key: set its mode to 0600, and think of who has read it"));
    }
    let pem = fs::read_to_string(path).map_err(failed)?;
    KeyPair::from_pem(&pem).map_err(|_| bad("it is not a private key in PEM; put it back from a copy"))
}

/// Writes a file whole, or leaves the one that somebody else has made meanwhile.
fn publish(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let scratch = scratch_of(path);
    // Left by a process with our number that died here.
    match fs::remove_file(&scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&scratch)?;
    // Whatever the process's mask is.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(contents)?;
    file.sync_all()?;
    let linked = fs::hard_link(&scratch, path);
    fs::remove_file(&scratch)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn scratch_of(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.new", std::process::id()))
}

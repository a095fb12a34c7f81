//! Certificates made for the occasion: an authority, a server certificate and a client certificate.
//!
//! A second set is a stranger to the first, which is how tests get a wrong authority. Never valid anywhere
//! else: the keys live in a run folder and die with it.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::Error;

/// One authority and what it signed, as PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub authority: String,
    /// The server's certificate (127.0.0.1 and localhost) and key. Members also show it to each other.
    pub server: String,
    /// A client's certificate and key.
    pub client: String,
}

impl Certificates {
    /// Makes a new authority and everything under it.
    ///
    /// # Errors
    /// If the cryptographic library refuses.
    pub fn generate() -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Tidemark test authority");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok(Self {
            authority,
            server: signed("mongod", &["127.0.0.1", "localhost"], &both, &issuer)?,
            client: signed("client", &[], &[ExtendedKeyUsagePurpose::ClientAuth], &issuer)?,
        })
    }
}

/// A certificate and its key in one text, as mongod and the tools want it.
fn signed(
    organization: &str,
    names: &[&str],
    uses: &[ExtendedKeyUsagePurpose],
    issuer: &Issuer<'_, KeyPair>,
) -> Result<String, Error> {
    // A name that is an IP address becomes an IP entry.
    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    // The organisation differs too: mongod takes a client with a server's organisation for a member.
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::CommonName, format!("Tidemark test {organization}"));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = uses.to_vec();
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok(certificate + &key.serialize_pem())
}

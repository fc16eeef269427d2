//! An authority for one run, and the certificates of the nodes, which it signs.

use std::error::Error;
use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Writes the certificate of an authority, and one for each node, whose common name is its name.
pub(crate) fn write(dir: &Path, nodes: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    fs::write(dir.join("ca.pem"), authority.pem())?;
    for node in nodes {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, *node);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        fs::write(dir.join(format!("{node}.pem")), certificate.pem())?;
        fs::write(dir.join(format!("{node}.key")), key.serialize_pem())?;
    }
    Ok(())
}

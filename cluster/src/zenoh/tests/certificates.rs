//! An authority, and the certificates of nodes, in a directory that goes with it.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

pub(crate) struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { dir, issuer }
    }

    /// Returns the directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Adds the certificate of a node, under its name.
    pub(crate) fn sign(&self, node: &str) {
        self.sign_as(node, node);
    }

    /// Adds the certificate of a node, under another name.
    pub(crate) fn sign_as(&self, file: &str, common_name: &str) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.dir().join(format!("{file}.pem")), certificate.pem()).expect("a file");
        fs::write(self.dir().join(format!("{file}.key")), key.serialize_pem()).expect("a file");
    }
}

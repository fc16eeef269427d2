//! What proves to others which node one is: its certificate, and the authority that signed it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use x509_parser::pem::parse_x509_pem;

use super::error::NetworkError;
use crate::identity::NodeName;

/// The files of the certificate of a node. The common name of the certificate is the name of the
/// node. It is shown to the nodes that this one connects to, and to those that connect to it.
///
/// The authority signs for the nodes of one cluster, and for nothing else: whatever it has signed
/// can connect.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Tls {
    /// A directory with `ca.pem` and, for the node `shop-1`, `shop-1.pem` and `shop-1.key`.
    Dir(PathBuf),
    /// Three files, in PEM.
    Files {
        /// The certificate of the authority.
        ca: PathBuf,
        /// The certificate of the node, and those between it and the authority.
        certificate: PathBuf,
        /// The key of the node.
        key: PathBuf,
    },
}

/// The files of an identity.
#[derive(Clone, Debug)]
pub(super) struct TlsFiles {
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Tls {
    /// Names a directory with `ca.pem` and, for the node `shop-1`, `shop-1.pem` and `shop-1.key`.
    pub fn dir(path: impl Into<PathBuf>) -> Self {
        Self::Dir(path.into())
    }

    /// Names the three files.
    pub fn files(ca: impl Into<PathBuf>, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self::Files { ca: ca.into(), certificate: certificate.into(), key: key.into() }
    }

    /// Returns the files of a node. Its certificate has to have its name.
    pub(super) fn load(&self, node: &NodeName) -> Result<TlsFiles, NetworkError> {
        let files = match self.clone() {
            Self::Dir(dir) => TlsFiles {
                ca: dir.join("ca.pem"),
                certificate: dir.join(format!("{node}.pem")),
                key: dir.join(format!("{node}.key")),
            },
            Self::Files { ca, certificate, key } => TlsFiles { ca, certificate, key },
        };
        for path in [&files.ca, &files.key] {
            read(path)?;
        }
        let common_name = common_name(&files.certificate)?;
        if common_name == node.as_str() {
            Ok(files)
        } else {
            Err(NetworkError::CommonName { certificate: files.certificate, common_name, node: node.clone() })
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, NetworkError> {
    fs::read(path).map_err(|error| certificate_error(path, &error))
}

fn certificate_error(path: &Path, error: &dyn ToString) -> NetworkError {
    NetworkError::Certificate { path: path.to_owned(), problem: error.to_string() }
}

/// Returns the common name of the first certificate in a file, which the other nodes go by.
fn common_name(path: &Path) -> Result<String, NetworkError> {
    let pem = read(path)?;
    let (_, pem) = parse_x509_pem(&pem).map_err(|error| certificate_error(path, &error))?;
    let certificate = pem.parse_x509().map_err(|error| certificate_error(path, &error))?;
    let name = certificate.subject().iter_common_name().next();
    let name = name.ok_or_else(|| certificate_error(path, &"it has no common name"))?;
    let name = name.as_str().map_err(|error| certificate_error(path, &error))?;
    Ok(name.to_owned())
}

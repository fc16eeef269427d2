//! Encrypted connections to a server whose certificate and name are verified.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use perennial_durable::postgres::PostgresStore;
use perennial_durable::{OpenError, Store};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::postgres::Server;

/// Starts a server with a certificate for `localhost`. Returns it, and the file that signs that.
fn server() -> Option<(Server, String)> {
    let server = Server::start(&[])?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let names = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = names.signed_by(&key, &authority).expect("a certificate");
    let data = server.folder().join("data");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&data).expect("a file of the server"));
    for (name, pem) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        let path = data.join(name);
        fs::write(&path, pem).expect("a file of the server");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of the server");
        chown(&path, Some(owner), None).expect("a file of the server");
    }
    let root = server.folder().join("root ca.pem");
    fs::write(&root, authority.pem()).expect("a file of the server");
    let hba = "hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl all all ::1/128 scram-sha-256\n";
    fs::write(data.join("pg_hba.conf"), hba).expect("a file of the server");
    let mut config = fs::read_to_string(data.join("postgresql.conf")).expect("a file of the server");
    config.push_str("ssl = on\nlisten_addresses = 'localhost'\n");
    fs::write(data.join("postgresql.conf"), config).expect("a file of the server");
    server.control(&["restart"]);
    Some((server, root.to_str().expect("text").to_owned()))
}

#[tokio::test]
async fn a_server_is_verified_by_its_certificate_and_its_name() {
    let Some((server, root)) = server() else { return };
    let localhost = server.url().replace("127.0.0.1", "localhost");
    let escaped = root.replace('/', "%2F").replace(' ', "%20");
    let store = PostgresStore::connect(format!("{localhost}?sslmode=verify-full&sslrootcert={escaped}"));
    let store = store.await.unwrap();
    store.check().await.unwrap();
    drop(store);

    let plain = PostgresStore::connect(localhost.clone()).await.unwrap_err();
    assert!(plain.to_string().contains("no encryption"), "{plain}");

    // The certificates of the system have not signed it.
    let untrusted = PostgresStore::connect(format!("{localhost}?sslmode=verify-full")).await.unwrap_err();
    assert!(matches!(untrusted, OpenError::Store(_)), "{untrusted}");

    // It is trusted, and its name is another.
    let other = server.url();
    let misnamed = PostgresStore::builder(format!("{other}?sslmode=require")).root_certificate(&root);
    let misnamed = misnamed.connect().await.unwrap_err();
    assert!(misnamed.to_string().contains("certificate"), "{misnamed}");
}

//! A server that is spoken to by TLS: its certificate is verified, and the name in it.

use anyhow::{Context as _, Result, ensure};
use phonehome_collector::store::postgres::{NotAServer, SESSIONS, Server};
use phonehome_collector::store::{Store, StoreError};
use phonehome_tests::servers::PostgresServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::path::{Path, PathBuf};

/// An authority, and a certificate that it gave to whoever has this name.
struct Certified {
    authority: PathBuf,
    certificate: String,
    key: String,
}

fn certify(folder: &Path, name: &str) -> Result<Certified> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &issuer)?;
    let authority = folder.join(format!("{name}.authority.pem"));
    fs::write(&authority, issuer.pem())?;
    Ok(Certified {
        authority,
        certificate: leaf.pem(),
        key: key.serialize_pem(),
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn only_the_right_name_under_the_right_authority_is_spoken_to() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let right = certify(folder.path(), "localhost")?;
    let other = certify(folder.path(), "elsewhere.example")?;
    let postgres = PostgresServer::encrypted(&right.certificate, &right.key);
    postgres.ask("postgres", "CREATE DATABASE collector");
    let open = async |host: &str, mode: &str, authority: Option<&Path>| -> Result<Store> {
        let port = postgres.port();
        let url = format!("postgresql://phonehome@{host}:{port}/collector?sslmode={mode}");
        let roots = authority.map(Path::to_owned);
        let server = Server::parse(&url, None, roots, SESSIONS)?;
        Ok(Store::connect(server, true).await?)
    };
    for mode in ["require", "verify-full"] {
        let store = open("localhost", mode, Some(&right.authority)).await?;
        ensure!(store.fragility().await?.is_none(), "it answers");
        // It answers by TLS: every session but the one that asks here.
        let question = "SELECT bool_and(ssl) AND count(*) > 0 FROM pg_stat_ssl \
                        JOIN pg_stat_activity USING (pid) WHERE application_name = 'phonehome-collector'";
        ensure!(postgres.asked("collector", question) == "t", "by TLS");
        for (host, authority, what) in [
            ("127.0.0.1", Some(&right.authority), "another name"),
            ("localhost", Some(&other.authority), "another authority"),
            ("localhost", None, "an authority that nobody knows"),
        ] {
            let refused = open(host, mode, authority.map(PathBuf::as_path)).await;
            let refused = refused.err().context(what)?.downcast::<StoreError>()?;
            ensure!(refused.passes(), "{what}: {refused}");
            ensure!(
                refused.to_string().contains("certificate"),
                "{what}: {refused}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_server_elsewhere_is_never_spoken_to_without_tls() {
    for mode in ["", "?sslmode=prefer", "?sslmode=disable"] {
        for host in ["db.example.net", "192.0.2.7", "localhost,db.example.net"] {
            let url = format!("postgresql://phonehome@{host}/phonehome{mode}");
            let refused = Server::parse(&url, None, None, SESSIONS);
            assert_eq!(refused, Err(NotAServer::Plain), "{url}");
        }
    }
    for mode in ["require", "verify-full"] {
        let url = format!("postgresql://phonehome@db.example.net/phonehome?sslmode={mode}");
        assert!(Server::parse(&url, None, None, SESSIONS).is_ok(), "{url}");
    }
}

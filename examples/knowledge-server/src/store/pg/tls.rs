//! Whether connections are secret: where the URL says `sslmode=require`, and then the server's certificate is verified
//! in full. Anything less would be secret to nobody who can come in between.

use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::store::StoreError;

/// What connections are made with.
#[cfg(feature = "tls")]
pub(super) type Tls = tokio_postgres_rustls::MakeRustlsConnect;
/// What connections are made with.
#[cfg(not(feature = "tls"))]
pub(super) type Tls = tokio_postgres::NoTls;

const MODES: &str = "`sslmode` is `require` or `disable`, and there is no `sslrootcert`: with `require` the server's \
                     certificate is verified in full, by the roots of this system or those in SSL_CERT_FILE";

const NOT_BUILT: &str = "`sslmode=require` needs a server that was built with `--features tls`";

/// What is wrong with a URL, if that is what it says of certificates, which other programs are told in more ways.
pub(super) fn complaint(url: &str) -> Option<StoreError> {
    let of_certificates = ["sslmode=verify", "sslrootcert", "sslcert", "sslkey"];
    let is_one = of_certificates.iter().any(|option| url.contains(option));
    is_one.then(|| StoreError::Failed(MODES.into()))
}

/// Asks for TLS where it is required, and never else: a server that has it, as many do with a certificate that nobody
/// can verify, is no reason to fail.
pub(super) fn settle(config: &mut Config) -> Result<(), StoreError> {
    match config.get_ssl_mode() {
        SslMode::Require if cfg!(feature = "tls") => Ok(()),
        SslMode::Require => Err(StoreError::Failed(NOT_BUILT.into())),
        _ => {
            config.ssl_mode(SslMode::Disable);
            Ok(())
        }
    }
}

/// What connections with these settings are made with.
#[cfg(not(feature = "tls"))]
pub(super) fn of(_: &Config) -> Result<Tls, StoreError> {
    Ok(tokio_postgres::NoTls)
}

/// What connections with these settings are made with.
#[cfg(feature = "tls")]
pub(super) fn of(config: &Config) -> Result<Tls, StoreError> {
    use std::sync::Arc;

    let mut roots = rustls::RootCertStore::empty();
    if config.get_ssl_mode() == SslMode::Require {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map(|error| format!(": {error}"));
            let text = "there are no roots by which to verify the database's certificate";
            return Err(StoreError::Failed(format!("{text}{}", why.unwrap_or_default())));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Failed(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Tls::new(config))
}

#[cfg(test)]
mod tests {
    use crate::store::pg::PgSettings;

    #[test]
    fn a_url_that_cannot_be_kept_is_refused_with_a_sentence() {
        for (options, told) in [
            ("sslmode=verify-full", Some("verified in full")),
            ("sslmode=require&sslrootcert=/ca.pem", Some("SSL_CERT_FILE")),
            (
                "sslmode=require",
                Some("--features tls").filter(|_| !cfg!(feature = "tls")),
            ),
            ("sslmode=prefer", None),
            ("sslmode=disable", None),
        ] {
            let parsed = PgSettings::parse(&format!("postgres://me:secret@db.example/papers?{options}"));
            let refused = parsed.err().map(|error| error.to_string());
            assert_eq!(refused.is_some(), told.is_some(), "{options}: {refused:?}");
            let refused = refused.unwrap_or_default();
            assert!(refused.contains(told.unwrap_or_default()), "{options}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}

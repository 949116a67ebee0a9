//! A private authority and what it signs, made with openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority with a directory of its own. Its certificate is `ca.pem` there.
pub struct Authority {
    dir: TempDir,
}

/// A certificate and its key, both PEM files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one that nobody else trusts.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("pilot-ca-").tempdir().expect("a directory of the authority's own");
        let authority = Self { dir };
        let subject = ["-subj", "/CN=the test's own authority", "-days", "2"];
        authority
            .openssl(&[&["req", "-x509"], &NEW_KEY[..], &subject, &["-keyout", "ca.key", "-out", "ca.pem"]].concat());
        authority
    }

    /// Its certificate, a PEM file.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A certificate for these names (`DNS:example.test`, `IP:127.0.0.1`), good for servers and clients.
    pub fn sign(&self, file: &str, names: &[&str]) -> Certificate {
        let [key, request, cert, extensions] = ["key", "csr", "pem", "ext"].map(|end| format!("{file}.{end}"));
        let text = [
            "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n",
            "subjectAltName=",
            &names.join(","),
        ];
        std::fs::write(self.path(&extensions), text.concat()).expect("a file of extensions");
        let subject = format!("/CN={file}");
        self.openssl(&[&["req"], &NEW_KEY[..], &["-subj", &subject, "-keyout", &key, "-out", &request]].concat());
        let by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        let what = ["-in", &request, "-out", &cert, "-extfile", &extensions];
        self.openssl(&[&["x509", "-req"], &by[..], &what].concat());
        Certificate { cert: self.path(&cert), key: self.path(&key) }
    }

    fn openssl(&self, args: &[&str]) {
        let output = Command::new("openssl").args(args).current_dir(self.dir()).output().expect("openssl is there");
        assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

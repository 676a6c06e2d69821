//! `tls` of what the proxy connects to: backends, and a collector of traces.

use super::endpoint;
use super::file::not_empty;
use super::named_file::{Files, NamedFile};
use crate::yaml::{Node, Reader};

/// Whom we trust and who we are, where we connect to `https://`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientTls {
    /// Certificates that are trusted; `None`: those that the system trusts.
    pub ca: Option<NamedFile>,
    /// Our certificate and its key, for those that ask for one.
    pub identity: Option<(NamedFile, NamedFile)>,
    /// The name that certificates have to be for; `None`: that of the address.
    pub server_name: Option<String>,
}

/// `tls`: files, and a name.
pub(super) fn read(node: &Node, files: &Files<'_>, reader: &mut Reader) -> Option<ClientTls> {
    if node.as_mapping().is_none() {
        reader.wrong_type(node, "`tls`", "a mapping of `ca`, `certificate`, `key` and `server_name`");
        return None;
    }
    let mut fields = reader.fields(node, "`tls`")?;
    let mut file = |key: &'static str, what: &str, reader: &mut Reader| {
        fields.get(key).and_then(|node| files.file(node, what, reader))
    };
    let ca = file("ca", "`ca`", reader);
    let certificate = file("certificate", "`certificate`", reader);
    let key = file("key", "`key`", reader);
    let server_name = fields.get("server_name").and_then(|node| server_name(node, reader));
    fields.finish(reader);
    if certificate.is_some() != key.is_some() {
        reader.bad_value(node, "`certificate` and `key` belong together: write both or none");
    }
    Some(ClientTls { ca, identity: certificate.zip(key), server_name })
}

fn server_name(node: &Node, reader: &mut Reader) -> Option<String> {
    let text = not_empty(node, "`server_name`", reader)?;
    endpoint::host(text).map_err(|message| reader.bad_value(node, message)).ok()
}

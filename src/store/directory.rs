//! Rule files in a directory, also one that Kubernetes mounts.
//!
//! Kubernetes puts a mount's files into a directory with a time in its name and swaps a link `..data` to it, so
//! that all change at one moment; the names that users see are links through it. Names that begin with a dot
//! are skipped, so each file is read once, through its visible name.

use std::fs;
use std::io;
use std::path::Path;

use crate::diagnostic::Source;

/// Most files of a store.
const FILES: usize = 10_000;
/// Most bytes of one file.
const FILE_BYTES: u64 = 8 << 20;
/// Most bytes of all files.
const TOTAL_BYTES: u64 = 256 << 20;
/// Most directories inside each other; a link to a parent ends here.
const DEPTH: usize = 8;

/// What an API keeps in directories.
const FOLDERS: [&str; 3] = ["changes", "openapi", "tests"];

/// Reads all rule files below a directory, in the order of their paths.
///
/// # Errors
/// One text for each file and directory that cannot be read, which it names, in the order of their paths.
pub(super) fn read(root: &Path) -> Result<Vec<Source>, Vec<String>> {
    let mut reading = Reading { root, files: Vec::new(), bytes: 0, errors: Vec::new(), is_over: false };
    reading.directory(root, "", 0);
    if reading.errors.is_empty() {
        reading.files.sort_by(|a, b| a.file.cmp(&b.file));
        return Ok(reading.files);
    }
    reading.errors.sort();
    Err(reading.errors)
}

struct Reading<'r> {
    root: &'r Path,
    files: Vec<Source>,
    bytes: u64,
    errors: Vec<String>,
    /// Whether there is too much to read on.
    is_over: bool,
}

impl Reading<'_> {
    fn directory(&mut self, directory: &Path, prefix: &str, depth: usize) {
        if depth > DEPTH {
            let expected = format!("expected at most {DEPTH} directories inside each other");
            return self.errors.push(named(directory, &expected));
        }
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(e) => return self.errors.push(named(directory, &e)),
        };
        for entry in entries {
            if self.is_over {
                return;
            }
            let read = match entry {
                Ok(entry) => self.entry(&entry.path(), prefix, depth),
                Err(e) => Err(named(directory, &e)),
            };
            self.errors.extend(read.err());
        }
    }

    fn entry(&mut self, path: &Path, prefix: &str, depth: usize) -> Result<(), String> {
        let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|name| !is_leftover(name)) else {
            return Ok(());
        };
        let relative = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        // Follows links, as the layout of Kubernetes needs.
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            // Other programs' temporary files come and go; a rule that goes is no rule set to publish.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !is_rule_file(name) => return Ok(()),
            Err(e) => return Err(named(path, &e)),
        };
        if metadata.is_dir() && is_rule_file(name) {
            return Err(named(path, &"expected a file, found a directory"));
        }
        if metadata.is_file() && FOLDERS.contains(&name) {
            return Err(named(path, &"expected a directory, found a file"));
        }
        if metadata.is_dir() {
            self.directory(path, &relative, depth + 1);
        } else if metadata.is_file() && (is_rule_file(name) || is_contract(&relative)) {
            let text = self.file(path, metadata.len())?;
            self.files.push(Source { file: relative, text });
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, bytes: u64) -> Result<String, String> {
        if bytes > FILE_BYTES {
            return Err(named(path, &format!("expected at most {FILE_BYTES} bytes, found {bytes}")));
        }
        self.bytes += bytes;
        if self.bytes > TOTAL_BYTES || self.files.len() + self.errors.len() >= FILES {
            self.is_over = true;
            return Err(named(self.root, &format!("expected at most {FILES} files of {TOTAL_BYTES} bytes in all")));
        }
        fs::read_to_string(path).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => named(path, &"expected text in UTF-8"),
            _ => named(path, &e),
        })
    }
}

/// What editors leave behind, and everything hidden.
fn is_leftover(name: &str) -> bool {
    name.starts_with(['.', '#']) || name.ends_with('~') || has_extension(name, "swp")
}

/// Rules are YAML; `legato.lock` is the history that stands beside them.
fn is_rule_file(name: &str) -> bool {
    has_extension(name, "yaml") || has_extension(name, "yml") || name == "legato.lock"
}

/// Contracts may be JSON.
fn is_contract(relative: &str) -> bool {
    has_extension(relative, "json") && relative.rsplit('/').nth(1) == Some("openapi")
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        read(root).unwrap().into_iter().map(|source| source.file).collect()
    }

    #[test]
    fn rule_files_are_read_in_order_without_leftovers() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("chat/changes/2")).unwrap();
        fs::create_dir_all(root.path().join("chat/openapi")).unwrap();
        let files = [
            "chat/changes/2/b.yaml",
            "chat/api.yaml",
            "chat/api.yaml~",
            "chat/.api.yaml.swp",
            "chat/.#api.yaml",
            "chat/#api.yaml#",
            "chat/4913",
            "chat/notes.md",
            "chat/legato.lock",
            "chat/openapi/1.json",
            "chat/samples.json",
        ];
        for name in files {
            fs::write(root.path().join(name), name).unwrap();
        }
        assert_eq!(
            names(root.path()),
            ["chat/api.yaml", "chat/changes/2/b.yaml", "chat/legato.lock", "chat/openapi/1.json"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_kubernetes_mount_is_read_through_its_visible_names() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("..2026_01_01")).unwrap();
        fs::write(root.path().join("..2026_01_01/api.yaml"), "text").unwrap();
        symlink("..2026_01_01", root.path().join("..data")).unwrap();
        symlink("..data/api.yaml", root.path().join("api.yaml")).unwrap();
        let files = read(root.path()).unwrap();
        assert_eq!(files.iter().map(|f| (&*f.file, &*f.text)).collect::<Vec<_>>(), [("api.yaml", "text")]);
    }

    #[test]
    fn every_file_that_cannot_be_read_is_named() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        fs::create_dir_all(place("chat/b.yaml")).unwrap();
        fs::write(place("a.yaml"), [0xff]).unwrap();
        fs::write(place("chat/changes"), "").unwrap();
        fs::write(place("chat/c.yaml"), "text").unwrap();
        let large = fs::File::create(place("d.yaml")).unwrap();
        large.set_len(TOTAL_BYTES + 1).unwrap();
        let told = |name: &str, error: &str| format!("{}: {error}", place(name).display());
        let want = [
            told("a.yaml", "expected text in UTF-8"),
            told("chat/b.yaml", "expected a file, found a directory"),
            told("chat/changes", "expected a directory, found a file"),
            told("d.yaml", "expected at most 8388608 bytes, found 268435457"),
        ];
        assert_eq!(read(root.path()).unwrap_err(), want);
    }

    #[test]
    fn a_directory_of_too_many_files_is_named() {
        let root = tempfile::tempdir().unwrap();
        let changes = root.path().join("chat/changes");
        fs::create_dir_all(&changes).unwrap();
        for name in 0..FILES {
            fs::write(changes.join(format!("{name}.yaml")), "").unwrap();
        }
        assert_eq!(names(root.path()).len(), FILES);
        fs::write(changes.join("more.yaml"), "").unwrap();
        let want = format!("{}: expected at most 10000 files of 268435456 bytes in all", root.path().display());
        assert_eq!(read(root.path()).unwrap_err(), [want]);
    }
}

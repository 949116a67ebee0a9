//! What leads to a file.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows.
const LINKS: usize = 40;

/// A name in a directory whose change makes another file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Without symbolic links.
    pub(super) directory: PathBuf,
    pub(super) name: OsString,
}

/// The symbolic links on the way to a file and the file itself, or the first part of the way that is not there. The path
/// is absolute.
pub(super) fn places(path: &Path) -> Vec<Place> {
    let mut found = Vec::new();
    let mut here = PathBuf::from("/");
    // The rest of the way, its next part last.
    let mut rest: Vec<OsString> = parts(path);
    while let Some(part) = rest.pop() {
        if part == "/" {
            here = PathBuf::from("/");
            continue;
        }
        if part == ".." {
            here.pop();
            continue;
        }
        let full = here.join(&part);
        let there = fs::symlink_metadata(&full);
        let is_link = there.as_ref().is_ok_and(fs::Metadata::is_symlink);
        if !is_link && there.is_ok() && !rest.is_empty() {
            here = full;
            continue;
        }
        found.push(Place { directory: here.clone(), name: part });
        match fs::read_link(&full) {
            Ok(target) if is_link && found.len() <= LINKS => rest.extend(parts(&target)),
            // The file; or nobody can go on here.
            _ => return found,
        }
    }
    found
}

/// The parts of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |part: Component<'_>| match part {
        Component::CurDir | Component::Prefix(_) => None,
        part => Some(OsStr::to_owned(part.as_os_str())),
    };
    path.components().rev().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_link_on_the_way_and_the_file_is_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("real")).unwrap();
        fs::create_dir(root.join("real/..1")).unwrap();
        fs::write(root.join("real/..1/app"), "x").unwrap();
        symlink("..1", root.join("real/..data")).unwrap();
        symlink("..data/app", root.join("real/app")).unwrap();
        symlink(root.join("real"), root.join("etc")).unwrap();
        let of = |path: &str| -> Vec<String> {
            let told = |place: Place| place.directory.join(place.name).to_str().unwrap().to_owned();
            let cut = |path: String| path.strip_prefix(root.to_str().unwrap()).unwrap().to_owned();
            places(&root.join(path)).into_iter().map(|place| cut(told(place))).collect()
        };
        assert_eq!(of("etc/app"), ["/etc", "/real/app", "/real/..data", "/real/..1/app"]);
        assert_eq!(of("real/../real/./..1/app"), ["/real/..1/app"]);
        assert_eq!(of("none/more/app"), ["/none"]);
        assert_eq!(of("real/..1/app/more"), ["/real/..1/app/more"]);
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(of("loop").len(), LINKS + 1);
    }
}

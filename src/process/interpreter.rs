//! Why the kernel would not run a file that is there: it needs another that is not.
//!
//! Only read after an exec failed, to explain the failure; nothing is decided by it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::look_up;

/// The kernel looks at so many bytes of a `#!` line (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

/// The kernel follows so many scripts that interpret scripts.
const DEPTH: u32 = 5;

/// What is wrong with a file's interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The interpreter as the file names it.
    pub interpreter: String,
    /// Whether an ELF file asks for it, not a `#!` line.
    elf: bool,
    /// Whether it is not there, not only not executable.
    missing: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.elf { "its ELF interpreter" } else { "its interpreter" };
        let how = if self.missing { "does not exist" } else { "is not executable" };
        match self.interpreter.strip_suffix('\r') {
            Some(_) => write!(f, "{what} {:?} {how}: the file has Windows line ends", self.interpreter),
            None => write!(f, "{what} {} {how}", self.interpreter),
        }
    }
}

/// The fault of a program's interpreter, or of its interpreter's interpreter.
pub(super) fn fault(program: &Path) -> Option<Fault> {
    let mut program = program.to_owned();
    for _ in 0..DEPTH {
        let (name, elf) = interpreter(&open(&program).ok()?)?;
        let path = Path::new(std::ffi::OsStr::from_bytes(&name)).to_owned();
        if let Err(error) = look_up::judge(&path) {
            let missing = error.kind() != io::ErrorKind::PermissionDenied;
            return Some(Fault { interpreter: String::from_utf8_lossy(&name).into_owned(), elf, missing });
        }
        program = path;
    }
    None
}

/// Why a file that may be executed is no program.
pub(super) fn why_no_program(program: &Path) -> Option<&'static str> {
    let head = head(&open(program).ok()?)?;
    Some(match head.as_slice() {
        [] => "the file is empty",
        [b'#', b'!', ..] => "its #! line names no interpreter, or too long a one",
        [0x7f, b'E', b'L', b'F', ..] => "it is a program for another machine, or damaged",
        _ => "it is no program, and a script must begin with #!",
    })
}

/// Opens a regular file only: a FIFO would block us, a device might do anything.
fn open(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

fn head(file: &File) -> Option<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let length = file.read_at(&mut head, 0).ok()?;
    head.truncate(length);
    Some(head)
}

/// The interpreter that a file asks for, and whether it is an ELF file.
fn interpreter(file: &File) -> Option<(Vec<u8>, bool)> {
    let head = head(file)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|b| *b == b'\n').next()?;
        let name = line.split(|b| matches!(b, b' ' | b'\t')).find(|word| !word.is_empty())?;
        return Some((name.to_vec(), false));
    }
    elf_interpreter(file, &head).map(|name| (name, true))
}

/// The text of the first `PT_INTERP` segment.
fn elf_interpreter(file: &File, head: &[u8]) -> Option<Vec<u8>> {
    const PT_INTERP: u64 = 3;
    let ident = head.strip_prefix(b"\x7fELF")?;
    let wide = *ident.first()? == 2;
    let little = *ident.get(1)? == 1;
    let number = |bytes: &[u8], at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        let step = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(if little { field.iter().rev().fold(0, step) } else { field.iter().fold(0, step) })
    };
    // Offsets of e_phoff, e_phentsize, e_phnum; then of p_offset and p_filesz, and the size of an address.
    let (phoff, phentsize, phnum, offset, filesz, word) =
        if wide { (0x20, 0x36, 0x38, 8, 0x20, 8) } else { (0x1c, 0x2a, 0x2c, 4, 0x10, 4) };
    let (start, size) = (number(head, phoff, word)?, number(head, phentsize, 2)?);
    for index in 0..number(head, phnum, 2)?.min(128) {
        let mut segment = [0; 56];
        file.read_at(&mut segment, start.checked_add(index * size)?).ok()?;
        if number(&segment, 0, 4)? == PT_INTERP {
            let length = usize::try_from(number(&segment, filesz, word)?.min(4096)).ok()?;
            let mut name = vec![0; length];
            file.read_exact_at(&mut name, number(&segment, offset, word)?).ok()?;
            return Some(name.split(|b| *b == 0).next()?.to_vec());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn told(text: &[u8]) -> Option<String> {
        fault(file(text).path()).map(|fault| fault.to_string())
    }

    #[test]
    fn a_script_names_its_interpreter() {
        assert_eq!(told(b"#!/no/such -x\n").unwrap(), "its interpreter /no/such does not exist");
        assert_eq!(told(b"#! \t/no/such").unwrap(), "its interpreter /no/such does not exist");
        assert_eq!(told(b"#!/etc/passwd\n").unwrap(), "its interpreter /etc/passwd is not executable");
        let windows = "its interpreter \"/bin/sh\\r\" does not exist: the file has Windows line ends";
        assert_eq!(told(b"#!/bin/sh\r\necho\r\n").unwrap(), windows);
        for harmless in ["#!/bin/sh\n", "echo\n", "", "#!\n", "#! ", "\x7fELF", "\x7fELF\x02\x01"] {
            assert_eq!(told(harmless.as_bytes()), None, "{harmless:?}");
        }
    }

    #[test]
    fn an_elf_file_names_its_interpreter() {
        let shell = std::fs::read("/bin/sh").unwrap();
        let name: &[u8] = b"/ld-linux";
        let at = shell.windows(name.len()).position(|window| window == name).unwrap();
        let mut broken = shell;
        broken[at..at + 4].copy_from_slice(b"/NO-");
        let fault = fault(file(&broken).path()).unwrap();
        assert!(fault.elf && fault.missing, "{fault:?}");
        assert!(fault.interpreter.contains("/NO-linux"), "{fault}");
    }

    #[test]
    fn no_program_is_explained() {
        let why = |text: &[u8]| why_no_program(file(text).path()).unwrap();
        assert_eq!(why(b""), "the file is empty");
        assert_eq!(why(b"echo hi\n"), "it is no program, and a script must begin with #!");
        assert_eq!(why(b"\x7fELF...."), "it is a program for another machine, or damaged");
        assert_eq!(why_no_program(Path::new("/no/such")), None);
        assert_eq!(why_no_program(Path::new("/dev/zero")), None);
    }
}

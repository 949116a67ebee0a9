//! The smallest job: its first act is to look at the clock, so its stamp is the moment of its first instruction.
//!
//! A few instructions in assembly with an ELF header before them, because a program with a C library starts with things
//! of its own, which would be counted to every init. Its one argument is a letter and a path:
//!
//! - `e/path` writes the stamp to the end of the file, and exits;
//! - `p/path` writes it, waits for SIGTERM, writes that moment, inverted, and exits.
//!
//! It works as the interpreter of a script (`#!job e/path`), too: where a system wants a script, there is no shell.
#![expect(unsafe_code, reason = "assembly, whose place and length only the assembler knows")]

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .rodata.compare_job, \"a\"",
    ".globl compare_job_begin",
    ".globl compare_job_end",
    "compare_job_begin:",
    "    mov rbp, rsp", // argc, argv[0], argv[1]
    "    sub rsp, 64",  // +0 the time, +16 the signals, +24 the stamp
    "    mov edi, 1",   // clock_gettime(CLOCK_MONOTONIC, +0)
    "    mov rsi, rsp",
    "    mov eax, 228",
    "    syscall",
    "    mov rbx, [rbp + 16]",
    "    cmp byte ptr [rbx], 0x70",
    "    jne 2f",
    "    mov qword ptr [rsp + 16], 0x4000", // rt_sigprocmask(SIG_BLOCK, {SIGTERM})
    "    xor edi, edi",
    "    lea rsi, [rsp + 16]",
    "    xor edx, edx",
    "    mov r10d, 8",
    "    mov eax, 14",
    "    syscall",
    "2:",
    "    mov edi, -100", // openat(AT_FDCWD, path, O_WRONLY | O_APPEND)
    "    lea rsi, [rbx + 1]",
    "    mov edx, 0x401",
    "    mov eax, 257",
    "    syscall",
    "    mov r13, rax",
    "    xor r14d, r14d", // the first stamp is written as it is
    "3:",
    "    imul rax, [rsp], 1000000000",
    "    add rax, [rsp + 8]",
    "    xor rax, r14",
    "    mov [rsp + 24], rax",
    "    mov rdi, r13", // write(file, +24, 8)
    "    lea rsi, [rsp + 24]",
    "    mov edx, 8",
    "    mov eax, 1",
    "    syscall",
    "    cmp byte ptr [rbx], 0x70",
    "    jne 5f",
    "    test r14, r14",
    "    jnz 5f",
    "4:",
    "    lea rdi, [rsp + 16]", // rt_sigtimedwait({SIGTERM}, no info, for ever)
    "    xor esi, esi",
    "    xor edx, edx",
    "    mov r10d, 8",
    "    mov eax, 128",
    "    syscall",
    "    cmp eax, 15",
    "    jne 4b",
    "    mov edi, 1",
    "    mov rsi, rsp",
    "    mov eax, 228",
    "    syscall",
    "    mov r14, -1", // the second one is inverted
    "    jmp 3b",
    "5:",
    "    xor edi, edi", // exit_group(0)
    "    mov eax, 231",
    "    syscall",
    "compare_job_end:",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .rodata.compare_job, \"a\"",
    ".globl compare_job_begin",
    ".globl compare_job_end",
    "compare_job_begin:",
    "    mov x19, sp",     // argc, argv[0], argv[1]
    "    sub sp, sp, #64", // +0 the time, +16 the signals, +24 the stamp
    "    mov x0, #1",      // clock_gettime(CLOCK_MONOTONIC, +0)
    "    mov x1, sp",
    "    mov x8, #113",
    "    svc #0",
    "    ldr x20, [x19, #16]",
    "    ldrb w21, [x20]",
    "    cmp w21, #0x70",
    "    b.ne 2f",
    "    mov x9, #0x4000", // rt_sigprocmask(SIG_BLOCK, {SIGTERM})
    "    str x9, [sp, #16]",
    "    mov x0, #0",
    "    add x1, sp, #16",
    "    mov x2, #0",
    "    mov x3, #8",
    "    mov x8, #135",
    "    svc #0",
    "2:",
    "    mov x0, #-100", // openat(AT_FDCWD, path, O_WRONLY | O_APPEND)
    "    add x1, x20, #1",
    "    mov x2, #0x401",
    "    mov x8, #56",
    "    svc #0",
    "    mov x22, x0",
    "    mov x23, #0",       // the first stamp is written as it is
    "    movz x24, #0xca00", // 1 000 000 000
    "    movk x24, #0x3b9a, lsl #16",
    "3:",
    "    ldp x9, x10, [sp]",
    "    madd x9, x9, x24, x10",
    "    eor x9, x9, x23",
    "    str x9, [sp, #24]",
    "    mov x0, x22", // write(file, +24, 8)
    "    add x1, sp, #24",
    "    mov x2, #8",
    "    mov x8, #64",
    "    svc #0",
    "    cmp w21, #0x70",
    "    b.ne 5f",
    "    cbnz x23, 5f",
    "4:",
    "    add x0, sp, #16", // rt_sigtimedwait({SIGTERM}, no info, for ever)
    "    mov x1, #0",
    "    mov x2, #0",
    "    mov x3, #8",
    "    mov x8, #137",
    "    svc #0",
    "    cmp w0, #15",
    "    b.ne 4b",
    "    mov x0, #1",
    "    mov x1, sp",
    "    mov x8, #113",
    "    svc #0",
    "    mov x23, #-1", // the second one is inverted
    "    b 3b",
    "5:",
    "    mov x0, #0", // exit_group(0)
    "    mov x8, #94",
    "    svc #0",
    "compare_job_end:",
    ".popsection",
);

/// The instructions above.
fn instructions() -> &'static [u8] {
    unsafe extern "C" {
        static compare_job_begin: u8;
        static compare_job_end: u8;
    }
    // SAFETY: both names are in the same section, one after the other, and nobody writes there.
    unsafe {
        let (begin, end) = (&raw const compare_job_begin, &raw const compare_job_end);
        std::slice::from_raw_parts(begin, end.addr() - begin.addr())
    }
}

/// Writes the program to a file.
pub fn write_program(path: &Path) -> io::Result<()> {
    const PLACE: u64 = 0x40_0000;
    const HEADERS: u16 = 64 + 56;
    let code = instructions();
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let mut put = |bytes: &[u8]| elf.extend_from_slice(bytes);
    put(&2_u16.to_le_bytes()); // a program at a fixed place
    put(&MACHINE.to_le_bytes());
    put(&1_u32.to_le_bytes());
    put(&(PLACE + u64::from(HEADERS)).to_le_bytes()); // where it begins
    put(&64_u64.to_le_bytes()); // the segment's header
    put(&0_u64.to_le_bytes()); // no sections
    put(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        put(&half.to_le_bytes());
    }
    // The one segment: all of the file, readable and executable.
    put(&1_u32.to_le_bytes());
    put(&5_u32.to_le_bytes());
    let length = u64::from(HEADERS) + code.len() as u64;
    for word in [0, PLACE, PLACE, length, length, 0x1_0000] {
        put(&word.to_le_bytes());
    }
    put(code);
    fs::write(path, elf)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Jobs of one kind, and the file that they stamp.
pub struct Jobs {
    file: PathBuf,
    argument: String,
    program: String,
}

impl Jobs {
    /// Jobs that exit at once.
    pub fn exiting(program: &Path, dir: &Path) -> io::Result<Self> {
        Self::new('e', program, dir)
    }

    /// Jobs that stay until SIGTERM.
    pub fn staying(program: &Path, dir: &Path) -> io::Result<Self> {
        Self::new('p', program, dir)
    }

    /// Jobs that exit at once and stamp this file.
    pub fn exiting_at(program: &Path, file: PathBuf) -> io::Result<Self> {
        Self::at('e', program, file)
    }

    fn new(kind: char, program: &Path, dir: &Path) -> io::Result<Self> {
        Self::at(kind, program, dir.join("stamps"))
    }

    fn at(kind: char, program: &Path, file: PathBuf) -> io::Result<Self> {
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o666).open(&file)?;
        let argument = format!("{kind}{}", file.display());
        Ok(Self { file, argument, program: program.display().to_string() })
    }

    /// The command of each.
    pub fn command(&self) -> Vec<String> {
        vec![self.program.clone(), self.argument.clone()]
    }

    /// How many stamps there are, of both kinds.
    pub fn count(&self) -> usize {
        fs::metadata(&self.file).map_or(0, |file| usize::try_from(file.len() / 8).unwrap_or(usize::MAX))
    }

    /// When they started, the earliest first.
    pub fn starts(&self) -> Vec<u64> {
        let mut starts: Vec<u64> = self.stamps().filter(|stamp| stamp >> 63 == 0).collect();
        starts.sort_unstable();
        starts
    }

    /// When they got SIGTERM, the earliest first.
    pub fn ends(&self) -> Vec<u64> {
        let mut ends: Vec<u64> = self.stamps().filter(|stamp| stamp >> 63 == 1).map(|stamp| !stamp).collect();
        ends.sort_unstable();
        ends
    }

    fn stamps(&self) -> impl Iterator<Item = u64> {
        let bytes = fs::read(&self.file).unwrap_or_default();
        let (stamps, _) = bytes.as_chunks::<8>();
        stamps.iter().map(|stamp| u64::from_le_bytes(*stamp)).collect::<Vec<_>>().into_iter()
    }
}

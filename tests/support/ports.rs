//! Ports of a test's own.

use std::fs::File;
use std::net::{TcpListener, UdpSocket};

/// How many ports a block has.
const SIZE: u16 = 8;

/// The first port of all blocks: below those that the kernel gives to clients (32768 and up), so that no client of
/// another test can sit on one.
const FIRST: u16 = 20_000;

/// How many blocks there are.
const BLOCKS: u16 = 1_200;

/// Eight ports in a row that no other test has, free when they were taken, on both loopback addresses. They stay taken until
/// the end of its scope, whether somebody listens or not: a server can end and come back.
pub struct Ports {
    first: u16,
    /// The kernel gives the lock back, whatever happens to the test.
    _lock: File,
}

impl Ports {
    /// Takes a block.
    pub fn take() -> Self {
        let dir = std::env::temp_dir().join("pilot-ports");
        std::fs::create_dir_all(&dir).expect("a directory for locks");
        // Tests begin to look at different places, so that they seldom meet.
        let start = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap_or(0);
        for number in (start..BLOCKS).chain(0..start) {
            let lock = File::create(dir.join(number.to_string())).expect("a file to lock");
            let first = FIRST + number * SIZE;
            if lock.try_lock().is_ok() && (first..first + SIZE).all(is_free) {
                return Self { first, _lock: lock };
            }
        }
        panic!("no block of ports is free")
    }

    /// One of them, by number from 0 to 7.
    pub fn port(&self, number: u16) -> u16 {
        assert!(number < SIZE, "a block has {SIZE} ports");
        self.first + number
    }
}

fn is_free(port: u16) -> bool {
    ["127.0.0.1", "::1"]
        .iter()
        .all(|address| TcpListener::bind((*address, port)).is_ok() && UdpSocket::bind((*address, port)).is_ok())
}

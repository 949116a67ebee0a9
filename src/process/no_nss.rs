//! The C library's look-up of host names, which nothing here may use.
//!
//! Host names are looked up by `discovery`, without the modules of the name service switch: linked statically, the C library
//! would load those of the image into PID 1, with whatever they bring. But `std` and reqwest refer to `getaddrinfo` beside
//! what we use of them, and with it came the resolver, the name service and a loader of libraries: 120 kB that nobody
//! calls. Defined here, the linker does not take the C library's.
#![expect(unsafe_code, reason = "a C symbol; the functions themselves touch nothing")]

/// Knows no name: whoever asks by way of `std` gets an error.
#[unsafe(no_mangle)]
extern "C" fn getaddrinfo(
    _name: *const libc::c_char,
    _service: *const libc::c_char,
    _hints: *const libc::addrinfo,
    _found: *mut *mut libc::addrinfo,
) -> libc::c_int {
    libc::EAI_FAIL
}

/// There is never anything to give back.
#[unsafe(no_mangle)]
extern "C" fn freeaddrinfo(_found: *mut libc::addrinfo) {}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs as _;

    #[test]
    fn no_name_is_looked_up_by_the_c_library() {
        assert!(("localhost", 80).to_socket_addrs().is_err());
        assert!(("127.0.0.1", 80).to_socket_addrs().is_ok(), "an address is no name");
    }
}

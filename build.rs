//! Tells the linker which functions of the program stand together: `link/order.ld`, which `scripts/order` writes.
//!
//! In the order of the crates a start touches nearly all of the code, a page here and a page there, and so does a stop.

fn main() {
    println!("cargo::rerun-if-changed=link/order.ld");
    let is = |variable: &str, value: &str| std::env::var(variable).is_ok_and(|found| found == value);
    // A debug build is linked often, and has more functions than there is use in sorting.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-T{here}/link/order.ld");
    }
}

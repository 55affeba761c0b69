//! How `mine` is linked.
//!
//! With Polars in it the executable holds 165,000 addresses. In one that may lie anywhere each of them is written at every start, which
//! touches three megabytes and took 6 of 8 milliseconds, twice where `mine` starts itself again (src/threads.rs): half of a small
//! query. So it lies at a fixed place; heap, stack and libraries stay at places of chance.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(name).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

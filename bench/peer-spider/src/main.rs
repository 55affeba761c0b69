//! The peer of `cargo xtask bench line`: the crawl of one host by the crate `spider`, in memory, storing nothing.
//!
//! `peer-spider URL CONCURRENCY` prints the number of distinct pages that it visited.

use spider::website::Website;

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(concurrency)) = (args.next(), args.next().and_then(|n| n.parse::<usize>().ok())) else {
        eprintln!("usage: peer-spider URL CONCURRENCY");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else {
        eprintln!("peer-spider: no runtime");
        std::process::exit(1);
    };
    runtime.block_on(async move {
        let mut site = Website::new(&url);
        site.with_respect_robots_txt(false).with_delay(0).with_concurrency_limit(Some(concurrency));
        site.configuration.with_limit(u32::MAX).with_depth(0);
        site.crawl_raw().await;
        println!("{}", site.get_size().await);
    });
}

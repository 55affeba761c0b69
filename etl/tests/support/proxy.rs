//! A TCP proxy that cuts, stalls and delays connections, by a seed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A proxy before a port; it ends with the test.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: u16,
    random: AtomicU64,
    cuts: AtomicU64,
    stalls: AtomicU64,
}

impl Shared {
    fn random(&self) -> u64 {
        // splitmix64
        let mut z = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Proxy {
    pub fn new(to: u16, seed: u64) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { to, random: AtomicU64::new(seed), cuts: AtomicU64::new(0), stalls: AtomicU64::new(0) });
        let ours = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, ours.to)) else { continue };
                for (from, to) in [(client.try_clone(), server.try_clone()), (server.try_clone(), client.try_clone())] {
                    let (Ok(from), Ok(to)) = (from, to) else { continue };
                    let shared = ours.clone();
                    std::thread::spawn(move || pump(from, to, &shared));
                }
            }
        });
        Proxy { port, shared }
    }

    /// How often it cut and stalled a connection.
    pub fn done(&self) -> (u64, u64) {
        (self.shared.cuts.load(Ordering::Relaxed), self.shared.stalls.load(Ordering::Relaxed))
    }
}

/// So many faults of a proxy, then it behaves: a test must end.
const FAULTS: u64 = 50;

/// Passes bytes on in small pieces. Of two hundred pieces five are cut in the middle, one is held back for ever,
/// fifty are late.
fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => n,
        };
        let done = shared.cuts.load(Ordering::Relaxed) + shared.stalls.load(Ordering::Relaxed);
        match if done < FAULTS { shared.random() % 200 } else { 199 } {
            0..=4 => {
                shared.cuts.fetch_add(1, Ordering::Relaxed);
                let _ = to.write_all(&buffer[..n / 2]);
                break;
            }
            5 => {
                shared.stalls.fetch_add(1, Ordering::Relaxed);
                // until the other side gives up: nothing goes through any more, and nothing is closed
                while matches!(from.read(&mut buffer), Ok(n) if n > 0) {}
                break;
            }
            #[allow(clippy::disallowed_methods, reason = "the delay is what this is for")]
            6..=55 => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

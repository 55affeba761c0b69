//! One connection: hyper speaks HTTP on it, until an answer must be wrong in a way that hyper would not send.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::answer::{Client, answer};
use crate::log::lock;
use crate::server::Shared;
use crate::{Connection, Event};

/// Accepts connections for one host until the server stops.
pub(crate) async fn accept(listener: StdListener, host: usize, shared: Arc<Shared>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(e) => {
            eprintln!("{}: cannot listen: {e}", shared.hosts[host].address);
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(serve(stream, peer, host, shared.clone()));
            }
            // out of file descriptors, most likely: let some connection end first
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, host: usize, shared: Arc<Shared>) {
    // a test client counts round trips; small answers must not wait for Nagle
    let _ = stream.set_nodelay(true);
    let client = Client { connection: shared.log.next_connection(), peer, host };
    let _closed = Closed { client, opened_us: shared.log.now_us(), shared: shared.clone() };
    let raw = Arc::new(Mutex::new(None));
    let service = {
        let raw = raw.clone();
        service_fn(move |request| {
            let (shared, raw) = (shared.clone(), raw.clone());
            Box::pin(async move {
                answer(&shared, client, &request).await.map_err(|fault| {
                    *lock(&raw) = Some(fault);
                    std::io::Error::other("the answer is written by hand")
                })
            })
        })
    };
    let mut connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    // an error here is the client's doing, or a raw answer; the log has what was sent
    let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let fault = lock(&raw).take();
    if let Some(fault) = fault {
        fault.send(connection.into_parts().io.into_inner()).await;
    }
}

/// Notes the connection when it is dropped.
struct Closed {
    client: Client,
    opened_us: u64,
    shared: Arc<Shared>,
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.shared.log.note(Event::Connection(Connection {
            connection: self.client.connection,
            peer: self.client.peer.to_string(),
            host: self.shared.hosts[self.client.host].address.to_string(),
            opened_us: self.opened_us,
            closed_us: self.shared.log.now_us(),
        }));
    }
}

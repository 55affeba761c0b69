//! Answers that no HTTP library would send, written to the socket byte by byte.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::body::Ticket;

/// What is wrong with the answer.
pub(crate) enum Fault {
    Close,
    SlowHeaders(Duration),
    HugeHeaders(usize),
    GarbageStatus,
    Reset(usize),
    WrongLength(i64, Bytes),
    BadChunks,
}

/// A wrong answer on its way.
pub(crate) struct Raw {
    pub(crate) fault: Fault,
    pub(crate) ticket: Ticket,
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";

impl Raw {
    /// Writes it and closes the connection. That the client goes away meanwhile is what such answers are for.
    pub(crate) async fn send(self, mut stream: TcpStream) {
        let Raw { fault, mut ticket } = self;
        if !matches!(fault, Fault::Close | Fault::GarbageStatus) {
            ticket.status(200);
        }
        let reset = matches!(fault, Fault::Reset(_));
        let _ = write(fault, &mut stream, &mut ticket).await;
        drop(ticket);
        if reset {
            let _ = stream.set_zero_linger();
        }
    }
}

async fn write(fault: Fault, stream: &mut TcpStream, ticket: &mut Ticket) -> std::io::Result<()> {
    match fault {
        Fault::Close => Ok(()),
        Fault::SlowHeaders(every) => {
            stream.write_all(HEAD.as_bytes()).await?;
            let mut number = 0u64;
            loop {
                tokio::time::sleep(every).await;
                stream.write_all(format!("X-Slow-{number}: yes\r\n").as_bytes()).await?;
                number += 1;
            }
        }
        Fault::HugeHeaders(bytes) => {
            stream.write_all(HEAD.as_bytes()).await?;
            let line = format!("X-Huge: {}\r\n", "h".repeat(1000));
            for _ in 0..bytes.div_ceil(line.len()) {
                stream.write_all(line.as_bytes()).await?;
            }
            let body = "<p>small</p>";
            ticket.sent(body.len());
            stream.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
            stream.shutdown().await
        }
        Fault::GarbageStatus => {
            stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n\x00\xff").await?;
            stream.shutdown().await
        }
        Fault::Reset(after) => {
            stream.write_all(HEAD.as_bytes()).await?;
            stream.write_all(b"Content-Length: 1048576\r\n\r\n").await?;
            let body = "<p>cut off</p>".repeat(after / 14 + 1);
            ticket.sent(after);
            stream.write_all(&body.as_bytes()[..after]).await?;
            stream.flush().await
        }
        Fault::WrongLength(by, body) => {
            let says = (body.len() as i64).saturating_add(by).max(0);
            stream.write_all(format!("{HEAD}Content-Length: {says}\r\n\r\n").as_bytes()).await?;
            ticket.sent(body.len());
            stream.write_all(&body).await?;
            stream.shutdown().await
        }
        Fault::BadChunks => {
            stream.write_all(HEAD.as_bytes()).await?;
            stream
                .write_all(b"Transfer-Encoding: chunked\r\n\r\n4\r\n<p>x\r\nnot a number\r\n</p>\r\n0\r\n\r\n")
                .await?;
            ticket.sent(4);
            stream.shutdown().await
        }
    }
}

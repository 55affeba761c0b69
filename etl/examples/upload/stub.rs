//! A server that speaks just enough of MongoDB's protocol to acknowledge what it is sent.
//!
//! OP_MSG and, for the handshake, OP_QUERY: <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use mongodb::bson::raw::{RawDocument, RawDocumentBuf};
use mongodb::bson::rawdoc;

const OP_REPLY: i32 = 1;
const OP_QUERY: i32 = 2004;
const OP_MSG: i32 = 2013;

/// Collection and document.
type Taken = Vec<(String, RawDocumentBuf)>;

/// A server that is running; it ends with the process.
pub struct Stub {
    pub port: u16,
    taken: Arc<Mutex<Taken>>,
}

impl Stub {
    /// What it was sent.
    pub fn documents(&self) -> Taken {
        let mut taken = std::mem::take(&mut *self.taken.lock().unwrap());
        taken.retain(|(collection, _)| collection != "ledger");
        taken
    }
}

/// Starts one.
pub fn start() -> Stub {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let ours = taken.clone();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let taken = ours.clone();
            std::thread::spawn(move || serve(connection, &taken));
        }
    });
    Stub { port, taken }
}

fn serve(mut connection: TcpStream, taken: &Mutex<Taken>) -> Option<()> {
    loop {
        let mut header = [0; 16];
        connection.read_exact(&mut header).ok()?;
        let word = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let mut message = vec![0; word(0) as usize - 16];
        connection.read_exact(&mut message).ok()?;
        let mut reply = Vec::new();
        if word(12) == OP_QUERY {
            reply.extend_from_slice(&[0; 16]);
            reply.extend_from_slice(&1_i32.to_le_bytes());
            reply.extend_from_slice(hello().as_bytes());
            answer(&mut connection, word(4), OP_REPLY, &reply)?;
        } else {
            reply.extend_from_slice(&[0; 5]);
            reply.extend_from_slice(acknowledge(&message, taken)?.as_bytes());
            answer(&mut connection, word(4), OP_MSG, &reply)?;
        }
    }
}

fn answer(connection: &mut TcpStream, to: i32, code: i32, body: &[u8]) -> Option<()> {
    let mut message = Vec::with_capacity(body.len() + 16);
    for word in [body.len() as i32 + 16, 1, to, code] {
        message.extend_from_slice(&word.to_le_bytes());
    }
    message.extend_from_slice(body);
    connection.write_all(&message).ok()
}

fn hello() -> RawDocumentBuf {
    rawdoc! {
        "ismaster": true, "isWritablePrimary": true, "helloOk": true, "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000, "minWireVersion": 0, "maxWireVersion": 21, "readOnly": false, "ok": 1.0,
    }
}

/// Takes the documents of an insert; says yes to everything.
fn acknowledge(message: &[u8], taken: &Mutex<Taken>) -> Option<RawDocumentBuf> {
    // flags, then sections: a byte 0 and a document, or a byte 1, a size, a name and documents
    let mut rest = &message[4..];
    let (mut command, mut listed) = (None, Vec::new());
    while !rest.is_empty() {
        let (kind, after) = rest.split_first()?;
        let size = i32::from_le_bytes(after.get(..4)?.try_into().ok()?) as usize;
        let (section, more) = after.split_at_checked(size)?;
        rest = more;
        if *kind == 0 {
            command = Some(RawDocument::from_bytes(section).ok()?);
            continue;
        }
        let end = section[4..].iter().position(|byte| *byte == 0)?;
        let mut documents = &section[4 + end + 1..];
        while !documents.is_empty() {
            let size = i32::from_le_bytes(documents.get(..4)?.try_into().ok()?) as usize;
            let (document, more) = documents.split_at_checked(size)?;
            listed.push(RawDocument::from_bytes(document).ok()?.to_owned());
            documents = more;
        }
    }
    let command = command?;
    let name = command.iter().next()?.ok()?.0.to_string();
    Some(match name.as_str() {
        "hello" | "ismaster" | "isMaster" => hello(),
        "find" => rawdoc! { "cursor": { "firstBatch": [], "id": 0_i64, "ns": "bench.x" }, "ok": 1.0 },
        "insert" => {
            let collection = command.get_str("insert").ok()?.to_owned();
            if let Ok(array) = command.get_array("documents") {
                listed.extend(array.into_iter().filter_map(|one| Some(one.ok()?.as_document()?.to_owned())));
            }
            let n = listed.len() as i32;
            taken.lock().unwrap().extend(listed.into_iter().map(|document| (collection.clone(), document)));
            rawdoc! { "n": n, "ok": 1.0 }
        }
        "update" => rawdoc! { "n": 1, "nModified": 1, "ok": 1.0 },
        _ => rawdoc! { "ok": 1.0 },
    })
}

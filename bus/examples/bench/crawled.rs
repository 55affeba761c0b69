//! What a crawl writes, for both benches of the bus.

use bus::Output;
use bus::payload::{Artefact, HttpHeaders};
use bus::topic::{ARTEFACTS, PARTITIONS};

/// An artefact with all its headers, on the partition of its host; hosts come in turn.
pub fn output(n: usize, body: Vec<u8>) -> Output {
    let artefact = Artefact {
        id: uuid::Uuid::now_v7(),
        source: "spider/main".into(),
        url: format!("http://host{}.example/a/page/of/usual/length-{n:06}.html", n % 64),
        crawl: "main".into(),
        status: Some(200),
        content_type: Some("text/html".into()),
        http_headers: HttpHeaders("content-type: text/html\r\nserver: nginx\r\netag: \"0123456789\"\r\n".into()),
        body: body.into(),
        sha256: "0".repeat(64),
        ..Artefact::default()
    };
    Output { topic: ARTEFACTS.into(), partition: (n % 64) as u32 % PARTITIONS, record: artefact.into_record() }
}

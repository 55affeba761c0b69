//! Records that other programs wrote.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};

use super::OnKafka;
use crate::contract::*;

#[test]
fn a_header_whose_name_is_no_text_does_not_stop_a_member() {
    if !need_tool_by("kcat", "-V", "a_header_whose_name_is_no_text_does_not_stop_a_member") {
        return;
    }
    let ground = OnKafka::fresh();
    let bus = ground.open();
    topic(&bus, "in", 1);
    let url = ground.url();
    let (hosts, prefix) = url.strip_prefix("kafka://").and_then(|url| url.split_once('/')).unwrap();
    let mut kcat = Command::new("kcat");
    kcat.args(["-P", "-q", "-b", hosts, "-p", "0", "-k", "strange", "-t", &format!("{prefix}in")]);
    kcat.args(["-H", "ce_id=1", "-H"]).arg(OsString::from_vec(b"na\xffme=x".to_vec()));
    let mut child = kcat.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"value\n").unwrap();
    assert!(child.wait().unwrap().success());
    bus.append(&[output("in", 0, "ours", "y")]).unwrap();

    let (mut reader, _writer) = bus.join("g", "one", &["in"]).unwrap();
    assigned(&mut reader);
    for records in [read(&mut reader, 2), all(&bus, "in", 0)] {
        assert_eq!(keys(&records), ["strange", "ours"]);
        assert_eq!(records[0].record.value.as_deref(), Some(&b"value"[..]));
        assert!(records[0].record.headers.0.is_empty());
    }
}

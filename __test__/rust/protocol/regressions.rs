//! Bugs that were found once.

use serde_json::Value;
use synapse::protocol::Limits;
use synapse::protocol::header::Kind;
use synapse::protocol::message::{self, Fault, Heartbeat, Log};

#[test]
fn bytes_after_the_one_value_of_a_payload_are_refused() {
    let broken = message::read::<Heartbeat>(Kind::Heartbeat, &[0x80, 0xc0], Limits::default());
    assert_eq!(
        broken.unwrap_err().to_string(),
        "payload of Heartbeat: bytes after the value"
    );
}

/// `data` holds whatever attributes an exception has; what JSON has no word for must not hide why
/// a worker did not start.
#[test]
fn a_fault_whose_exception_carries_bytes_is_still_read() {
    let mut bytes = vec![0x82, 0xa5];
    bytes.extend(b"phase\xa6import\xa5error\x82\xa4type\xa1E\xa4data\x83");
    bytes.extend(b"\xa3raw\xc4\x02\x00\xff");
    bytes.extend(b"\xa4when\xd6\xff\x00\x00\x00\x01");
    bytes.extend(b"\xa4keys\x81\x01\x02");
    let fault = message::read::<Fault>(Kind::Fault, &bytes, Limits::default()).unwrap();
    assert_eq!(fault.phase, "import");
    assert_eq!(fault.error["type"], Value::from("E"));
    let data = &fault.error["data"];
    assert_eq!(data["raw"], "b\"\\x00\\xff\"");
    assert_eq!(data["when"][0], -1);
    assert_eq!(data["keys"]["1"], 2);
}

#[test]
fn a_log_record_with_a_value_that_json_lacks_is_still_read() {
    let bytes = b"\x83\xa6stream\xa7logging\xa4text\xa1x\xa5extra\xc4\x01\x00";
    let log = message::read::<Log>(Kind::Log, bytes, Limits::default()).unwrap();
    assert_eq!(log.text, "x");
    assert_eq!(log.about["extra"], "b\"\\x00\"");
}

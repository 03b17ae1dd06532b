//! A name server that knows one name.

use std::{io::ErrorKind, net::Ipv4Addr};

use tokio::net::UdpSocket;

/// Answers at port 53 of a loopback address that `name` is 127.0.0.1, and that there is no other name. `None` if this user may not have that
/// port, and no other can be written into a resolv.conf.
pub async fn serve(name: &'static str) -> Option<Ipv4Addr> {
    // An address that no other process of these tests takes.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 53, high, low);
    let socket = match UdpSocket::bind((address, 53)).await {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
        bound => bound.expect("a socket"),
    };
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query).await {
            if let Some(answer) = answer(&query[..length], name) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    });
    Some(address)
}

/// The answer to a query with one question (RFC 1035 section 4).
fn answer(query: &[u8], name: &str) -> Option<Vec<u8>> {
    let (header, question) = query.split_at_checked(12)?;
    let (mut labels, mut at) = (Vec::new(), 0);
    while *question.get(at)? != 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(std::str::from_utf8(question.get(at + 1..end)?).ok()?);
        at = end;
    }
    let question = question.get(..at + 5)?;
    let is_known = labels.join(".").eq_ignore_ascii_case(name);
    let is_address = question[at + 1..at + 3] == [0, 1];
    let records: &[u8] = if is_known && is_address { &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 1] } else { &[] };
    let code = if is_known { 0 } else { 3 };
    let counts = [0, 1, 0, u8::from(!records.is_empty()), 0, 0, 0, 0];
    Some([&header[..2], &[0x81, 0x80 | code], &counts, question, records].concat())
}

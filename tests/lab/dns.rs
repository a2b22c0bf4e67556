//! Names on the laboratory's Internet: the server that knows them, and what a phone asks it.

use super::sites::{Family, Site};
use anyhow::{Context, Result, bail};
use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{
    CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE,
};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// How long an answer may be kept.
const TTL_SECONDS: u32 = 300;

/// A phone asks again after so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Questions before a phone gives up.
const QUESTIONS_MAX: usize = 5;

/// Answers for every site, until the task is dropped.
pub(crate) async fn serve(socket: UdpSocket) -> Result<()> {
    let mut buffer = [0; 1_500];
    loop {
        let (length, asker) = socket.recv_from(&mut buffer).await?;
        // Who asks badly hears nothing.
        if let Ok(answer) = answer_to(&buffer[..length]) {
            socket.send_to(&answer, asker).await?;
        }
    }
}

fn answer_to(question: &[u8]) -> Result<Vec<u8>> {
    let question = Packet::parse(question)?;
    let mut answer = Packet::new_reply(question.id());
    answer.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    for asked in question.questions {
        match Site::named(&asked.qname.to_string()) {
            None => *answer.rcode_mut() = RCODE::NameError,
            Some(site) => {
                let data = match asked.qtype {
                    QTYPE::TYPE(TYPE::A) => Some(RData::A(A::from(site.v4))),
                    QTYPE::TYPE(TYPE::AAAA) => Some(RData::AAAA(AAAA::from(site.v6))),
                    _ => None,
                };
                answer.answers.extend(data.map(|data| {
                    ResourceRecord::new(asked.qname.clone(), CLASS::IN, TTL_SECONDS, data)
                }));
            }
        }
        answer.questions.push(asked);
    }
    Ok(answer.build_bytes_vec()?)
}

/// Asks `server` where a name is.
pub(crate) async fn resolve(server: SocketAddr, name: &str, family: Family) -> Result<IpAddr> {
    let kind = match family {
        Family::V4 => TYPE::A,
        Family::V6 => TYPE::AAAA,
    };
    let socket = UdpSocket::bind(("0.0.0.0", 0)).await?;
    socket.connect(server).await?;
    // The port is random already; the laboratory has nobody who would guess.
    let mut question = Packet::new_query(socket.local_addr()?.port());
    question.set_flags(PacketFlag::RECURSION_DESIRED);
    let asked = Question::new(
        Name::new(name)?,
        kind.into(),
        QCLASS::CLASS(CLASS::IN),
        false,
    );
    question.questions.push(asked);
    let question = question.build_bytes_vec()?;
    let mut buffer = [0; 1_500];
    for _ in 0..QUESTIONS_MAX {
        socket.send(&question).await?;
        let Ok(length) = timeout(PATIENCE, socket.recv(&mut buffer)).await else {
            continue;
        };
        let answer = Packet::parse(&buffer[..length?])?;
        let address = answer
            .answers
            .iter()
            .find_map(|record| match &record.rdata {
                RData::A(a) => Some(IpAddr::V4(a.address.into())),
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.address.into())),
                _ => None,
            });
        return address.with_context(|| format!("{name} has an address: {:?}", answer.rcode()));
    }
    bail!("nobody answers for {name}")
}

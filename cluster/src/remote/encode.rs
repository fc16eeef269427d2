//! Messages on their way into bytes, and answers on their way back.

use perennial_actors::host::{DecodedAnswer, SentReply, catch_panic, decode_answer, encode_replies};
use perennial_durable::{Codec, DecodeError, Payload, Wire, encode};

use crate::peer::{MAX_REPLIES, Outbound, Report, SentParts};

/// How the messages for an actor are encoded, and their answers decoded.
pub(crate) struct Encoding<M> {
    encode: fn(&M) -> Result<Payload, String>,
    decode: fn(&mut SentReply, &[u8]) -> Result<(), DecodeError>,
}

impl<M: Wire> Encoding<M> {
    pub(crate) const fn of<C: Codec>() -> Self {
        Self { encode: encode_by::<M, C>, decode: decode_by::<C> }
    }

    /// Encodes a message for an actor. The message is unchanged, and its replies can be used, until
    /// it is [dropped as sent](perennial_actors::host::drop_sent).
    ///
    /// A sender with a report is told when the message is in the mailbox, unless it waits for an
    /// answer.
    pub(crate) fn outbound(
        &self,
        to: &str,
        message: &M,
        confirm: bool,
        report: Option<Report>,
    ) -> Result<Outbound, String> {
        let (encoded, replies) = encode_replies(|| catch_panic(None, || (self.encode)(message)));
        let payload = encoded.map_err(|reason| reason.to_string())??;
        if replies.len() > MAX_REPLIES {
            return Err(format!("it has {} replies, more than {MAX_REPLIES}", replies.len()));
        }
        let decode = self.decode;
        let replies: Vec<_> = replies.into_iter().map(|reply| SentParts { reply, decode }).collect();
        let confirm = confirm || (report.is_some() && replies.is_empty());
        Ok(Outbound { to: to.to_owned(), payload, replies, confirm, report })
    }
}

fn encode_by<M: Wire, C: Codec>(message: &M) -> Result<Payload, String> {
    encode::<M, C>(message).map_err(|error| error.to_string())
}

fn decode_by<C: Codec>(reply: &mut SentReply, bytes: &[u8]) -> Result<(), DecodeError> {
    decode_answer(reply, || C::decode::<DecodedAnswer>(bytes)).map(|DecodedAnswer { .. }| ())
}

/// The replies of an encoded message, for [`drop_sent`](perennial_actors::host::drop_sent).
pub(super) fn keys(outbound: &Outbound) -> Vec<usize> {
    outbound.replies.iter().map(|parts| parts.reply.key()).collect()
}

impl<M> Clone for Encoding<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Encoding<M> {}

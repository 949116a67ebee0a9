//! The body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Response;

/// A body that is there, or one that comes piece by piece.
#[derive(Debug)]
pub struct Body(Inner);

#[derive(Debug)]
enum Inner {
    /// `None` when it is taken or empty.
    Whole(Option<Bytes>),
    /// Ends when the sender is dropped. Holds its place among the streams once the server let it in.
    Stream { pieces: mpsc::Receiver<Bytes>, place: Option<OwnedSemaphorePermit>, otherwise: Option<Box<Response>> },
}

impl Body {
    /// A body of these bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty())))
    }

    /// A body that goes on until the sender is dropped, without a limit in time. The channel's capacity bounds what a slow
    /// reader costs; the receiver is dropped when the reader is gone, or took nothing for 5 s. A reader who is gone is
    /// noticed only when something is sent: a quiet stream should send an empty line now and then.
    pub fn stream(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self(Inner::Stream { pieces, place: None, otherwise: None })
    }

    /// What is answered instead of this stream when there are too many; a text, if nothing is said.
    #[must_use]
    pub fn or_else(mut self, instead: Response) -> Self {
        if let Inner::Stream { otherwise, .. } = &mut self.0 {
            *otherwise = Some(Box::new(instead));
        }
        self
    }

    /// Whether it is a stream.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.0, Inner::Stream { .. })
    }

    /// Keeps a stream's place for as long as the body lives.
    pub(super) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        if let Inner::Stream { place, otherwise, .. } = &mut self.0 {
            *place = Some(permit);
            *otherwise = None;
        }
    }

    /// What to answer instead of it.
    pub(super) fn otherwise(self) -> Option<Response> {
        match self.0 {
            Inner::Stream { otherwise, .. } => otherwise.map(|response| *response),
            Inner::Whole(_) => None,
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Stream { pieces, .. } => pieces.poll_recv(context).map(|piece| piece.map(|p| Ok(Frame::data(p)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Inner::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Inner::Stream { .. } => SizeHint::default(),
        }
    }
}

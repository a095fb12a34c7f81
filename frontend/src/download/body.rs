//! A pipe from a thread that writes to the body of an answer: bounded, and ended or cut, never left open-ended.
//!
//! A body that is cut gives an error, so that the connection is broken off: without the end of its chunks, or short of its
//! length, no client takes it for whole. Whoever takes nothing for too long is cut as well, so that threads come free.

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Bytes of a piece, and pieces that wait.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 4;
/// How long a piece may wait to be taken.
const PATIENCE: Duration = Duration::from_secs(300);

/// A piece, or the end: without it, the body was cut.
enum Piece {
    Bytes(Bytes),
    End,
}

/// The end that is written to, on a thread that may block.
pub(super) struct Pipe {
    to: Sender<Piece>,
    runtime: Handle,
    buffer: Vec<u8>,
}

/// The end that is sent.
pub(super) struct Sent {
    from: Receiver<Piece>,
    /// What is still to come, if that is known.
    left: Option<u64>,
    is_over: bool,
}

impl Pipe {
    /// A pipe; with its length, if that is known. Called on the runtime.
    pub(super) fn new(bytes: Option<u64>) -> (Self, Sent) {
        let (to, from) = channel(PIECES);
        let pipe = Self { to, runtime: Handle::current(), buffer: Vec::with_capacity(PIECE_BYTES) };
        (pipe, Sent { from, left: bytes, is_over: false })
    }

    /// Ends the body: it is whole.
    pub(super) fn end(mut self) {
        // If nobody takes it any more there is nobody to tell.
        let _ = self.send_buffer().and_then(|()| self.send(Piece::End));
    }

    /// Cuts the body short.
    pub(super) fn cut(self) {
        drop(self);
    }

    fn send_buffer(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        self.send(Piece::Bytes(full.into()))
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        let sent = self.runtime.block_on(tokio::time::timeout(PATIENCE, self.to.send(piece)));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client went away")),
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing for five minutes"))
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES.saturating_sub(self.buffer.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() >= PIECE_BYTES {
            self.send_buffer()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let cut = |what: &str| Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what.to_owned())));
        self.from.poll_recv(context).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => {
                let left = self.left.map(|left| left.checked_sub(bytes.len() as u64));
                match left {
                    Some(None) => {
                        self.is_over = true;
                        cut("the archive is longer than was measured")
                    }
                    left => {
                        self.left = left.flatten();
                        Some(Ok(Frame::data(bytes)))
                    }
                }
            }
            end => {
                self.is_over = true;
                match end {
                    Some(_) if self.left.unwrap_or(0) == 0 => None,
                    Some(_) => cut("the archive is shorter than was measured"),
                    None => cut("the archive was cut"),
                }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use std::io::Read as _;

    /// What comes over a real connection when a body is written and then ended or cut.
    async fn on_the_wire(is_cut: bool) -> Vec<u8> {
        let answer = move || async move {
            let (mut pipe, body) = Pipe::new(None);
            drop(tokio::task::spawn_blocking(move || {
                // More than waits anywhere on the way, so that a part was sent.
                pipe.write_all(&vec![b'x'; 64 * PIECE_BYTES]).unwrap();
                if is_cut { pipe.cut() } else { pipe.end() }
            }));
            Body::new(body)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(answer));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let got = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut got = Vec::new();
            let _ = stream.read_to_end(&mut got);
            got
        });
        let got = got.await.unwrap();
        serving.abort();
        got
    }

    #[tokio::test]
    async fn a_body_that_is_cut_lacks_the_end_of_its_chunks() {
        let whole = on_the_wire(false).await;
        assert!(whole.ends_with(b"\r\n0\r\n\r\n") && whole.len() > 64 * PIECE_BYTES);
        let cut = on_the_wire(true).await;
        assert!(cut.starts_with(b"HTTP/1.1 200 OK") && !cut.ends_with(b"0\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_writer_stops_when_nobody_takes_it_any_more() {
        let (mut pipe, body) = Pipe::new(None);
        drop(body);
        let wrote = tokio::task::spawn_blocking(move || pipe.write_all(&[0; 2 * PIECE_BYTES]));
        assert_eq!(wrote.await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

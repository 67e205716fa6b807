//! The clients of an echo: each gets back what it sent, byte by byte.

use super::line::{Form, Kind, Line};
use super::measured::Arrival;

#[derive(Debug)]
pub(super) struct Echo {
    form: Form,
    clients: Vec<Awaiting>,
}

/// How far the echo of a client's last message came.
#[derive(Debug, Default)]
struct Awaiting {
    number: u64,
    received: usize,
    wrong: bool,
}

impl Echo {
    pub(super) fn new(message: usize) -> Self {
        Self {
            form: Form::new(message),
            clients: Vec::new(),
        }
    }

    pub(super) fn join(&mut self) {
        self.clients.push(Awaiting::default());
    }

    /// Writes the client's next message; says how many must arrive for it.
    pub(super) fn say(&mut self, client: usize, kind: Kind, message: &mut Vec<u8>) -> u64 {
        let awaiting = &mut self.clients[client];
        let line = Line {
            kind,
            sender: client,
            number: awaiting.number,
        };
        self.form.write(line, message);
        *awaiting = Awaiting {
            number: awaiting.number + 1,
            ..Awaiting::default()
        };
        1
    }

    /// `bytes` arrived at a client whose last message was `message`.
    pub(super) fn arrived(&mut self, client: usize, message: &[u8], bytes: &[u8]) -> Arrival {
        let awaiting = &mut self.clients[client];
        let awaited = &message[awaiting.received.min(message.len())..];
        let (echo, surplus) = bytes.split_at(awaited.len().min(bytes.len()));
        awaiting.wrong |= echo != &awaited[..echo.len()];
        awaiting.received += echo.len();

        let came_back = !echo.is_empty() && awaiting.received == message.len();
        let wrong = u64::from(came_back && awaiting.wrong);
        Arrival {
            delivered: u64::from(came_back) - wrong,
            lost: wrong,
            torn: wrong + u64::from(!surplus.is_empty()),
            came_back,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> (Echo, Vec<u8>) {
        let mut echo = Echo::new(64);
        echo.join();
        let mut message = Vec::new();
        assert_eq!(echo.say(0, Kind::Counted, &mut message), 1);
        (echo, message)
    }

    #[test]
    fn an_echo_cut_anywhere_counts_once_and_only_when_it_is_whole() {
        for cut in 1..64 {
            let (mut echo, message) = asked();
            let first = echo.arrived(0, &message, &message[..cut]);
            assert_eq!(first, Arrival::default(), "cut at {cut}");
            let rest = echo.arrived(0, &message, &message[cut..]);
            assert_eq!((rest.delivered, rest.came_back), (1, true), "cut at {cut}");
        }
    }

    #[test]
    fn one_wrong_byte_makes_an_echo_torn() {
        let (mut echo, message) = asked();
        let mut answer = message.clone();
        answer[9] ^= 1;
        let arrival = echo.arrived(0, &message, &answer);
        assert_eq!((arrival.delivered, arrival.lost, arrival.torn), (0, 1, 1));
    }

    #[test]
    fn bytes_nobody_asked_for_are_found() {
        let (mut echo, message) = asked();
        let doubled = [&message[..], &message[..]].concat();
        let arrival = echo.arrived(0, &message, &doubled);
        assert_eq!((arrival.delivered, arrival.torn), (1, 1));
        assert_eq!(echo.arrived(0, &message, b"more").torn, 1);
    }
}

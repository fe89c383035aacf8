//! A message composed at compile time, where `format!` is not: bytes and a length.

use crate::define::Place;

/// What does not fit is left out, a piece at a time.
const CAPACITY: usize = 1024;

pub(super) struct Message {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Message {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; CAPACITY], len: 0 }
    }

    pub(super) const fn text(mut self, text: &str) -> Self {
        let (_, free) = self.bytes.split_at_mut(self.len);
        if let Some((room, _)) = free.split_at_mut_checked(text.len()) {
            room.copy_from_slice(text.as_bytes());
            self.len += text.len();
        }
        self
    }

    /// In backticks.
    pub(super) const fn name(self, name: &str) -> Self {
        self.text("`").text(name).text("`")
    }

    pub(super) const fn number(mut self, number: u32) -> Self {
        if number >= 10 {
            self = self.number(number / 10);
        }
        let digit = [b'0' + (number % 10) as u8];
        match core::str::from_utf8(&digit) {
            Ok(digit) => self.text(digit),
            Err(_) => self,
        }
    }

    /// `a.rs:4 and b.rs:10`
    pub(super) const fn places(self, a: Place, b: Place) -> Self {
        self.place(a).text(" and ").place(b)
    }

    const fn place(self, place: Place) -> Self {
        self.text(place.file).text(":").number(place.line)
    }

    /// Ends the compilation.
    #[track_caller]
    #[expect(clippy::panic, reason = "the compile error")]
    pub(super) const fn fail(&self) -> ! {
        let (written, _) = self.bytes.split_at(self.len);
        match core::str::from_utf8(written) {
            Ok(message) => panic!("{}", message),
            Err(_) => panic!("this declaration does not fit the others"),
        }
    }
}

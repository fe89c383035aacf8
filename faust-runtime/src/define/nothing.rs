//! What macros put where a declaration has a mistake, so that uses of its name are not errors as well.

use super::{NoKey, Place, Record, TopicDef};
use crate::codec::CodecError;

/// The record of an agent whose input cannot be told: there is none.
#[derive(Debug)]
pub enum Nothing {}

impl Record for Nothing {
    type Of<'m> = Self;
    type Key = NoKey;
    const TOPIC: TopicDef = TopicDef::new("nothing", Place { file: file!(), line: line!() });

    fn decode(_key: Option<&[u8]>, _value: Option<&[u8]>) -> Result<Self, CodecError> {
        Err(CodecError::NoKey)
    }

    fn encode_key(&self, _out: &mut Vec<u8>) -> Result<bool, CodecError> {
        match *self {}
    }

    fn encode_value(&self, _out: &mut Vec<u8>) -> Result<bool, CodecError> {
        match *self {}
    }
}

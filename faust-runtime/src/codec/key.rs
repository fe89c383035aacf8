//! The key format as a serde format: a string is its UTF-8 bytes, everything else is JSON text. Only the outermost
//! value is looked at, through newtypes.

use serde::de::{Deserializer, Error as _, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Error;

pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
}

type Json<'a> = serde_json::Serializer<&'a mut Vec<u8>>;

/// `serialize_u64(v: u64)` and the like, as JSON.
macro_rules! as_json {
    ($($method:ident($ty:ty),)*) => {
        $(fn $method(self, v: $ty) -> Result<(), Error> {
            serde_json::Serializer::new(self.out).$method(v)
        })*
    };
}

/// A composite key: JSON through serde_json's own value, because its serializer is borrowed by its parts.
pub(super) struct Compound<'a> {
    out: &'a mut Vec<u8>,
    parts: Vec<u8>,
    close: u8,
}

impl<'a> Compound<'a> {
    fn open(out: &'a mut Vec<u8>, open: u8, close: u8) -> Self {
        out.push(open);
        Self { out, parts: Vec::new(), close }
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !self.parts.is_empty() {
            self.parts.push(b',');
        }
        serde_json::to_writer(&mut self.parts, value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.part(name)?;
        self.parts.push(b':');
        serde_json::to_writer(&mut self.parts, value)
    }

    fn close(self) -> Result<(), Error> {
        self.out.extend_from_slice(&self.parts);
        self.out.push(self.close);
        Ok(())
    }
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = serde::ser::Impossible<(), Error>;
    type SerializeMap = serde::ser::Impossible<(), Error>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = serde::ser::Impossible<(), Error>;

    fn serialize_str(self, v: &str) -> Result<(), Error> {
        self.out.extend_from_slice(v.as_bytes());
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    as_json! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32),
        serialize_i64(i64), serialize_i128(i128), serialize_u8(u8), serialize_u16(u16),
        serialize_u32(u32), serialize_u64(u64), serialize_u128(u128), serialize_f32(f32),
        serialize_f64(f64), serialize_char(char), serialize_bytes(&[u8]),
    }

    fn serialize_none(self) -> Result<(), Error> {
        Json::new(self.out).serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::to_writer(self.out, value)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Json::new(self.out).serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Error> {
        Json::new(self.out).serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        Json::new(self.out).serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        Json::new(self.out).serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, Error> {
        Ok(Compound::open(self.out, b'[', b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, Error> {
        Ok(Compound::open(self.out, b'[', b']'))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Error> {
        Ok(Compound::open(self.out, b'[', b']'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, Error> {
        Ok(Compound::open(self.out, b'{', b'}'))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(serde::ser::Error::custom("an enum with tuple variants cannot be a key"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(serde::ser::Error::custom("an enum with struct variants cannot be a key"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(serde::ser::Error::custom("a map cannot be a key: its order is not fixed"))
    }
}

macro_rules! compound {
    ($($part:ident $method:ident,)*) => {
        $(impl serde::ser::$part for Compound<'_> {
            type Ok = ();
            type Error = Error;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.part(value)
            }
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        })*
    };
}

compound! {
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
}

impl serde::ser::SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }
    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

pub(super) struct Decoder<'de> {
    pub(super) bytes: &'de [u8],
}

impl<'de> Decoder<'de> {
    fn text(&self) -> Result<&'de str, Error> {
        std::str::from_utf8(self.bytes).map_err(Error::custom)
    }

    fn json<T>(
        self,
        read: impl FnOnce(
            &mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>,
        ) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut json = serde_json::Deserializer::from_slice(self.bytes);
        let value = read(&mut json)?;
        json.end()?;
        Ok(value)
    }
}

macro_rules! from_json {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.json(|json| json.$method(visitor))
        })*
    };
}

impl<'de> Deserializer<'de> for Decoder<'de> {
    type Error = Error;

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    from_json! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_bytes deserialize_byte_buf
        deserialize_option deserialize_unit deserialize_seq deserialize_map deserialize_identifier
        deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.json(|json| json.deserialize_unit_struct(name, visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.json(|json| json.deserialize_tuple(len, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.json(|json| json.deserialize_tuple_struct(name, len, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.json(|json| json.deserialize_struct(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.json(|json| json.deserialize_enum(name, variants, visitor))
    }
}

#[cfg(test)]
mod tests {
    use crate::Key;
    use serde::{Deserialize, Serialize};

    fn check<K: Key + std::fmt::Debug>(key: K, text: &str) {
        let mut bytes = Vec::new();
        key.encode(&mut bytes).unwrap();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
        assert_eq!(K::decode(&bytes).unwrap(), key);
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    struct Id(String);

    #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    struct Place {
        city: String,
        zip: u32,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    enum Side {
        Buy,
    }

    #[test]
    fn strings_are_their_bytes_and_everything_else_is_json() {
        check("the".to_string(), "the");
        check(String::new(), "");
        check(Id("a\"b".into()), "a\"b");
        check(7u64, "7");
        check(-7i32, "-7");
        check(true, "true");
        check(("a".to_string(), 7u8), r#"["a",7]"#);
        check(vec![1u8, 2], "[1,2]");
        check(Vec::<u8>::new(), "[]");
        check(Some("a".to_string()), r#""a""#);
        check(Place { city: "Oslo".into(), zip: 150 }, r#"{"city":"Oslo","zip":150}"#);
        check(Side::Buy, r#""Buy""#);
    }

    #[test]
    fn a_key_with_text_behind_it_is_refused() {
        assert!(u64::decode(b"7 8").is_err());
        assert!(u64::decode(b"x").is_err());
        assert!(String::decode(&[0xff]).is_err());
    }
}

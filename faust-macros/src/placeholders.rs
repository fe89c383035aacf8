//! The placeholders of a page's path, and whether the page's `Path` takes them.

use crate::errors::Errors;
use crate::signature::Parameter;
use crate::types::last_name;
use syn::{GenericArgument, LitStr, Pat, PathArguments, Type};

/// The names of the placeholders; `None` where the path is wrong, which axum would refuse when the worker starts.
pub(crate) fn read(path: &LitStr, errors: &mut Errors) -> Option<Vec<String>> {
    let text = path.value();
    let Some(rest) = text.strip_prefix('/') else {
        errors.at(path, "a path starts with `/`");
        return None;
    };
    let mut names: Vec<String> = Vec::new();
    let segments: Vec<_> = rest.split('/').collect();
    for (n, segment) in segments.iter().enumerate() {
        match name(segment, n + 1 == segments.len()) {
            Ok(None) => {}
            Ok(Some(name)) if names.iter().any(|known| known == name) => {
                errors.at(path, format!("the placeholder `{{{name}}}` stands here twice"));
                return None;
            }
            Ok(Some(name)) => names.push(name.to_string()),
            Err(fault) => {
                errors.at(path, fault);
                return None;
            }
        }
    }
    Some(names)
}

/// The placeholder in a segment, if there is one.
fn name(segment: &str, is_last: bool) -> Result<Option<&str>, String> {
    if let Some(name) = segment.strip_prefix(':') {
        return Err(format!("a placeholder is written `{{{name}}}`"));
    }
    if let Some(name) = segment.strip_prefix('*') {
        return Err(format!("a placeholder for the rest of the path is written `{{*{name}}}`"));
    }
    if segment.matches('{').count() != segment.matches('}').count() {
        return Err(format!("`{segment}` opens and closes different numbers of braces"));
    }
    // Doubled, a brace is itself.
    let text = segment.replace("{{", "").replace("}}", "");
    let (Some(open), Some(close)) = (text.find('{'), text.find('}')) else { return Ok(None) };
    let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let Some(name) = inner.filter(|_| text.matches('{').count() == 1 && open < close) else {
        return Err(format!("a placeholder is all of its segment, which `{segment}` is not"));
    };
    let rest = name.strip_prefix('*');
    match rest.unwrap_or(name) {
        "" => Err("a placeholder has a name: `{name}`".to_string()),
        _ if rest.is_some() && !is_last => {
            Err(format!("`{{{name}}}` takes the rest of the path, so it comes last"))
        }
        name => Ok(Some(name)),
    }
}

/// That the parameters take what the path has: as many, and in its order where names tell.
pub(crate) fn check(
    path: &LitStr,
    names: &[String],
    parameters: &[Parameter],
    errors: &mut Errors,
) {
    let is_path = |ty: &Type| last_name(ty).is_some_and(|name| name == "Path");
    let Some(parameter) = parameters.iter().find(|parameter| is_path(&parameter.ty)) else {
        if let Some(name) = names.first().filter(|_| parameters.iter().all(reads_no_path)) {
            errors.at(
                path,
                format!(
                    "nothing takes the placeholder `{{{name}}}`: add `Path({name}): Path<String>`"
                ),
            );
        }
        return;
    };
    let Some(count) = count(&parameter.ty).filter(|count| *count != names.len()) else {
        check_order(names, parameter, errors);
        return;
    };
    let has = match names {
        [] => "the path has no placeholder".to_string(),
        [name] => format!("the path has one placeholder, `{{{name}}}`"),
        names => {
            format!("the path has {} placeholders, `{{{}}}`", names.len(), names.join("}`, `{"))
        }
    };
    errors.at(&parameter.ty, format!("{has}, and this takes {count}"));
}

/// How many placeholders `Path<..>` takes, where its type tells.
fn count(path: &Type) -> Option<usize> {
    const ONE: [&str; 14] = [
        "String", "bool", "char", "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64",
        "f32", "f64",
    ];
    let Type::Path(path) = path else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(Type::Tuple(tuple)) => Some(tuple.elems.len()),
        GenericArgument::Type(ty) => {
            last_name(ty).is_some_and(|name| ONE.iter().any(|one| name == one)).then_some(1)
        }
        _ => None,
    }
}

/// That `Path((customer, item))`, if it has the names of the placeholders, has them in the path's order.
fn check_order(names: &[String], parameter: &Parameter, errors: &mut Errors) {
    let Pat::TupleStruct(pat) = &parameter.pat else { return };
    let Some(Pat::Tuple(tuple)) = pat.elems.first() else { return };
    let taken = tuple.elems.iter().filter_map(|pat| match pat {
        Pat::Ident(pat) => Some(pat.ident.to_string()),
        _ => None,
    });
    let taken: Vec<_> = taken.collect();
    let same = taken.len() == names.len() && taken.iter().all(|name| names.contains(name));
    if same && taken != names {
        let names = names.join(", ");
        errors.at(tuple, format!("placeholders come in the path's order: `({names})`"));
    }
}

/// Whether a parameter is, by its name, one that does not see the path.
fn reads_no_path(parameter: &Parameter) -> bool {
    const NONE: [&str; 11] = [
        "Table", "View", "Global", "Sink", "Ask", "State", "Settings", "Context", "Json", "Query",
        "String",
    ];
    last_name(&parameter.ty).is_some_and(|name| NONE.iter().any(|none| name == none))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn finds_the_placeholder_of_a_segment() {
        let check = |segment: &str, expected: Option<&str>| {
            assert_eq!(name(segment, true), Ok(expected), "{segment}");
        };
        check("count", None);
        check("", None);
        check("{word}", Some("word"));
        check("{*rest}", Some("rest"));
        check("{{word}}", None);
    }

    #[test]
    fn says_what_is_wrong_with_a_segment() {
        for wrong in [":word", "*rest", "{}", "{*}", "{word", "word}", "a{word}", "{a}{b}", "}{"] {
            assert!(name(wrong, true).is_err(), "{wrong}");
        }
        assert!(name("{*rest}", false).is_err());
    }
}

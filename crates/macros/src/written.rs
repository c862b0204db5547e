//! Owns looks at types as they are written. Refuses to know what they mean: an alias of `Result` is
//! no `Result` here.

use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// The last part of a type's path: `Result` of `std::io::Result<()>`.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The first type among a path's arguments.
pub(crate) fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

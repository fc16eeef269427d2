//! The values that a supervisor accepts as a list of children.

use super::child::ChildSpec;

/// A list of children: an array or an iterator of one type, or a tuple of up to 12 types, each of
/// which converts into a [`ChildSpec`].
///
/// `L` is inferred. It is `()` for arrays and iterators, and the type itself for tuples.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of children",
    note = "a list of children is an array or an iterator of one type, or a tuple of up to 12 types",
    note = "each of these types has to be `Into<ChildSpec>`"
)]
pub trait IntoChildren<L = ()> {
    /// Appends the children to `list`, in order.
    fn add_to(self, list: &mut Vec<ChildSpec>);
}

impl<C: IntoIterator<Item: Into<ChildSpec>>> IntoChildren for C {
    fn add_to(self, list: &mut Vec<ChildSpec>) {
        list.extend(self.into_iter().map(Into::into));
    }
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Into<ChildSpec>, $($rest: Into<ChildSpec>),*> IntoChildren<($first, $($rest,)*)>
            for ($first, $($rest,)*)
        {
            #[allow(non_snake_case)]
            fn add_to(self, list: &mut Vec<ChildSpec>) {
                let ($first, $($rest,)*) = self;
                list.extend([$first.into(), $($rest.into()),*]);
            }
        }

        tuples!($($rest)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L);

//! Enums whose values have names outside the program: in settings, answers, events, metrics and log lines.

/// Declares an enum with the names of its values. `ALL` has the values in the order of the declaration, `name` returns the
/// name of one, and `named` finds it again.
macro_rules! named_enum {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $Enum:ident {
            $($(#[$of_value:meta])* $Value:ident $(= $number:literal)? => $name:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $Enum {
            $($(#[$of_value])* $Value $(= $number)?,)+
        }

        #[allow(dead_code)] // No enum is used in all of these ways.
        impl $Enum {
            /// Every value, in the order of the declaration.
            $visibility const ALL: [Self; [$($name),+].len()] = [$(Self::$Value),+];

            /// Every value with its name, for the parser of a setting.
            pub(crate) const CHOICES: [(&'static str, Self); Self::ALL.len()] = [$(($name, Self::$Value)),+];

            /// Returns the name.
            $visibility const fn name(self) -> &'static str {
                match self {
                    $(Self::$Value => $name,)+
                }
            }

            /// Finds the value with this name; `None` if none has it.
            $visibility fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.name() == name)
            }
        }
    };
}

pub(crate) use named_enum;

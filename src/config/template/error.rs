//! Why a template has no result.

use crate::config::diagnostic::Span;

/// When a template failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its text is no template.
    Parse,
    /// Rendering it failed.
    Exec,
}

impl Stage {
    /// `parse` or `exec`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Exec => "exec",
        }
    }
}

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)*) => {
        /// What kind of mistake it was; the same mistake has the same class whatever the words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Class {
            $($(#[$doc])* $variant,)*
        }

        impl Class {
            /// The class as the golden vectors spell it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

classes! {
    /// A token where the grammar has no place for it.
    UnexpectedToken => "unexpected-token",
    /// A number that is spelled wrongly or fits no type.
    BadNumber => "bad-number",
    /// A function that nobody defined.
    FunctionNotDefined => "function-not-defined",
    /// An action, condition or parenthesis without a value.
    MissingValue => "missing-value",
    /// A variable that is not declared here.
    UndefinedVariable => "undefined-variable",
    /// A character that no action may hold.
    BadCharacter => "bad-character",
    /// The text ends within a block.
    UnexpectedEndOfFile => "unexpected-end-of-file",
    /// A string or character constant with a wrong escape.
    BadConstant => "bad-constant",
    /// A string or character constant without its closing quote.
    UnterminatedString => "unterminated-string",
    /// A constant in a later stage of a pipeline.
    NotACommand => "not-a-command",
    /// `break` or `continue` outside `range`.
    BreakOutsideRange => "break-outside-range",
    /// A comment with more than itself in its action.
    BadComment => "bad-comment",
    /// An action without `}}`.
    UnclosedAction => "unclosed-action",
    /// A parenthesis without its other half.
    UnbalancedParenthesis => "unbalanced-parenthesis",
    /// More variables than can be declared here.
    TooManyVariables => "too-many-variables",
    /// A comment without `*/`.
    UnclosedComment => "unclosed-comment",
    /// Two templates of one name.
    Redefinition => "redefinition",
    /// Too few or too many arguments.
    ArgumentCount => "argument-count",
    /// An argument of the wrong type.
    ArgumentType => "argument-type",
    /// A function refused its arguments.
    FunctionFailed => "function-failed",
    /// A text that is no whole number.
    NotAnInteger => "not-an-integer",
    /// Values that can't be compared.
    Comparison => "comparison",
    /// An index beyond the end.
    IndexOutOfRange => "index-out-of-range",
    /// A field of something that has none.
    NoSuchField => "no-such-field",
    /// Arguments for something that takes none.
    NotAFunction => "not-a-function",
    /// A regular expression that is none.
    BadRegexp => "bad-regexp",
    /// `nil` where a value is needed.
    NilCommand => "nil-command",
    /// `range` over something that has no elements.
    NotIterable => "not-iterable",
    /// A call of a template that nobody defined.
    TemplateNotDefined => "template-not-defined",
    /// Templates that call each other too deeply.
    RecursionTooDeep => "recursion-too-deep",
    /// Nesting, output or work beyond the limits of design §4 row 26.
    Limit => "limit",
}

/// A template that could not be rendered (v3 §4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{told}")]
pub struct TemplateError {
    /// When it failed.
    pub stage: Stage,
    /// What kind of mistake it is.
    pub class: Class,
    /// All that Go 1.19 says, values of the environment included, so that it is only compared and never printed: `template: :1:3: executing "" at <loop 1.5>: error calling loop: …`. Lines count
    /// from 1, columns from 0 in bytes.
    pub message: String,
    /// The end of `message`: what is wrong, without the place. Never printed either.
    pub reason: String,
    /// What is wrong, for people: made of names of types and of what stands in the file, and of no value that the
    /// environment or a function gave. The same as `reason` where that holds no such value.
    pub told: String,
    /// The offending part of the source.
    pub span: Span,
}

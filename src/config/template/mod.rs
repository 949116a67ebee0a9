//! Go's text/template, as ContainerPilot used it (v3 §4).
//
// pub fn render(source: &str, env: &crate::env::Environment) -> Result<Rendered, TemplateError>

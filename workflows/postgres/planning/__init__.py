"""Pure decisions: from a survey to a plan, or to a refusal."""

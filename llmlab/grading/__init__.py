"""The instructor's side: scaffolds, release, intake, verdicts, gradebook, feedback, export."""

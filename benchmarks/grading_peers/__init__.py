"""What `benchmarks.grading` measures: a generated class, and each grader in a process of its own."""

"""All hosts judged for pods of one shape: verdicts, scores, and which of them is the best."""

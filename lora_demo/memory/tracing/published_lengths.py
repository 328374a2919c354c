"""The batch lengths assumed for the published PEFT runs, in this one place and the same for every method.

The runs (huggingface/peft, method_comparison/MetaMathQA) do not record how long their batches were. Buckets of twenty
batches are yielded from long to short and the cache is emptied every ten steps, so the longest batch starts in an
emptied cache right after the shortest batch of the bucket before. Those two lengths are inferred from the recorded
maxima of all open runs together.

The recorded maximum covers the evaluations between the steps too. They start on top of what the steps since the cache
was last emptied have left in it, a long batch among them: the first of one of the ten buckets in whose middle an
evaluation falls. Its length is inferred from the recorded maxima as well; only where an evaluation takes more than any
training step (prefixes of 200 tokens, expanded to 50 rows in float32) does it decide anything.

An evaluation generates at batch 50. The longest prompt of a batch is a round number; it decides nothing.
"""

BATCH = 4
SHORTEST_BEFORE = 200
LONGEST = 686
BEFORE_EVALUATION = 624
EVALUATED = 50
PROMPT = 200

"""The pair of batch lengths assumed for the published PEFT runs, in this one place.

The runs (huggingface/peft, method_comparison/MetaMathQA) do not record how long their longest batch was. Buckets of
twenty batches are yielded from long to short and the cache is emptied every ten steps, so the longest batch starts in
an emptied cache right after the shortest batch of the bucket before. Both lengths are inferred from the open runs
together and hold for every method alike.
"""

BATCH = 4
SHORTEST_BEFORE = 200
LONGEST = 686

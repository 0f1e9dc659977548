"""Search a handful of sentences by meaning with the embedded encoder."""

import fieldtune

encoder = fieldtune.load_encoder()
sentences = [
    "You can return an item within 30 days.",
    "A transfer abroad takes two days.",
    "Freeze the card in the app.",
]
vectors = encoder.encode(sentences)
query = encoder.encode(["how long do I have to send something back"])
print(sentences[int((query @ vectors.T).argmax())])

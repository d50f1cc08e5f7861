"""Records of actions: one module for each noun, named as in leasebook.contract.nouns."""

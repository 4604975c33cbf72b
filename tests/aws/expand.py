"""What CloudFormation makes of template.yaml, as the SAM CLI does it on this machine: loops first, then functions.

expand.py CHANNELS    prints the whole template for that parameter `Channels`, as JSON; run by the SAM CLI's own Python
"""

import json
import sys

from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse


class NoManagedPolicies:
    def load(self):
        return {}


with open("template.yaml") as file:
    template = yaml_parse(file.read())
validator = SamTemplateValidator(
    template,
    NoManagedPolicies(),
    region="us-east-1",
    parameter_overrides={"Channels": sys.argv[1]},
    language_extensions_enabled=True,
)
print(json.dumps(yaml_parse(validator.get_translated_template_if_valid())))

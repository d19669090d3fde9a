import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='apitoken',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'Read'), ('annotate', 'Claim and submit'), ('import', 'Import content'), ('predict', 'Ask the model'), ('manage', 'Everything its owner may do')], max_length=16), size=None),
        ),
    ]

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import pgvector.django.halfvec
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('serving', '0001_initial'),
    ]

    initial = True

    dependencies = [
        ('projects', '0001_squashed'),
        ('registry', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='ServingPolicy',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='projects.project')),
                ('keep_days', models.PositiveIntegerField(default=90, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3650)], verbose_name='days to keep what was served')),
                ('threshold', models.FloatField(default=0.0, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='show an answer from this probability on')),
                ('explore', models.FloatField(default=0.0, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(0.2)], verbose_name='share of answers drawn from the probabilities')),
            ],
        ),
        migrations.CreateModel(
            name='Served',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('external_id', models.CharField(blank=True, max_length=200)),
                ('subject', models.CharField(blank=True, max_length=64)),
                ('consent', models.BooleanField(default=False)),
                ('text', models.TextField(blank=True)),
                ('text_hash', models.BinaryField(max_length=32)),
                ('language', models.CharField(blank=True, max_length=10)),
                ('confidence', models.FloatField()),
                ('probabilities', pgvector.django.halfvec.HalfVectorField(null=True)),
                ('value', models.JSONField(null=True)),
                ('propensity', models.FloatField(null=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('label', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
                ('shown', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='registry.modelversion')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'at'], name='served_time'), models.Index(condition=models.Q(('external_id', ''), _negated=True), fields=['project', 'external_id'], name='served_external')],
                'constraints': [models.CheckConstraint(condition=models.Q(('consent', True), ('text', ''), _connector='OR'), name='served_text_needs_consent')],
            },
        ),
    ]

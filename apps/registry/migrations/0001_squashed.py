import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from ._triggers import SQL, UNDO


class Migration(migrations.Migration):

    replaces = [
        ('registry', '0001_initial'),
        ('registry', '0002_version_never_changes'),
        ('registry', '0003_more_kinds'),
        ('registry', '0004_engagement'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('projects', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='ModelVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('head', 'Published head'), ('transformer', 'Fine-tuned transformer'), ('onnx', 'ONNX export'), ('ensemble', 'Ensemble of versions')], max_length=16)),
                ('encoder', models.CharField(max_length=300)),
                ('encoder_digest', models.CharField(max_length=64)),
                ('task', models.CharField(choices=[('single', 'One label per text'), ('multi', 'Several labels per text'), ('spans', 'Labelled spans in the text'), ('engagement', 'Click-through: will people click?')], default='single', max_length=10)),
                ('label_order', models.JSONField()),
                ('thresholds', models.JSONField(default=list)),
                ('snapshot_hash', models.CharField(max_length=64)),
                ('seed', models.PositiveIntegerField()),
                ('config', models.JSONField()),
                ('metrics', models.JSONField(default=dict)),
                ('path', models.CharField(max_length=300)),
                ('digest', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('parent', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.modelversion')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'number'), name='version_number_once')],
            },
        ),
        migrations.CreateModel(
            name='Deployment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('promote', 'Promoted'), ('rollback', 'Rolled back')], max_length=10)),
                ('verdict', models.JSONField(default=dict)),
                ('why', models.TextField(blank=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sequence', models.PositiveIntegerField()),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deployments', to='projects.project')),
                ('previous', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.modelversion')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='registry.modelversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'sequence'), name='deployment_sequence_once')],
            },
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
